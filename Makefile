# How long, and with which first state of chance (0: the time's).
FOR ?= 1h
SEED ?= 0

# Compares verdicts on changed documents with xmlsec1, libxml2, the JDK and
# goxmldsig, and prints every class of them. KEEP=DIRECTORY keeps examples.
.PHONY: differential
differential:
	go test ./signing -run TestDifferential -v -timeout 0 -differential $(FOR) -differential.seed $(SEED) -differential.keep "$(KEEP)"

# Fuzzes each target by so many inputs: a fuzzing whose time ends while it works on
# one calls that a failure. The seeds run with the tests.
INPUTS ?= 1000000
.PHONY: fuzz
fuzz:
	for target in $$(grep -rhoE '^func Fuzz[A-Za-z0-9]+' --include='*_test.go' . | awk '{print $$2}' | sort); do \
		folder=$$(dirname "$$(grep -rlE "^func $$target\(" --include='*_test.go' .)"); \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(INPUTS)x -fuzzminimizetime 20x "$$folder" || exit 1; \
	done

# The commands as they are released: static, without C, the same bytes each time.
VERSION ?= 0.1.0~$(shell git log -1 --format=%cd --date=format:%Y%m%d.%H%M%S)
static = CGO_ENABLED=0 go build -trimpath -tags nomsgpack -ldflags '-s -w -X main.release=$(VERSION)' -o bin/static/ ./cmd/hub ./cmd/agency ./cmd/auditor

.PHONY: static
static:
	$(static)
	mkdir -p bin/static/state

# Man pages of every command, and completions for shells.
.PHONY: manual
manual: static
	rm -rf bin/manual && mkdir -p bin/manual/man bin/manual/bash bin/manual/zsh bin/manual/fish
	for command in hub agency auditor; do \
		SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) go run -tags 'nomsgpack manual' ./cmd/$$command manual bin/manual/man && \
		for shell in bash zsh fish; do bin/static/$$command completion $$shell > bin/manual/$$shell/$$command || exit 1; done || exit 1; \
	done
	gzip -9n bin/manual/man/*

# A package for Debian 12 and later, in bin/. It needs nfpm 2.45.
TOOLS ?= $(or $(TRAM_TOOLS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tram/tools)
NFPM ?= $(TOOLS)/nfpm-v2.45.0
.PHONY: deb
deb: manual
	gzip -9nc cmd/hub/packaging/deb/changelog > bin/manual/changelog.gz
	VERSION='$(VERSION)' $(NFPM) package --config cmd/hub/packaging/deb/nfpm.yaml --packager deb --target bin/

# Does a hub under load all the harm on the list (cmd/hub/campaign_faults_test.go):
# kills it, fills its disk, fails its writes, sets its clock, takes its power away.
# REPORT=FILE keeps what came of it as JSON. As root it has a small disk to fill.
REPORT ?=
.PHONY: campaign
campaign:
	go test ./cmd/hub -run 'TestCampaign|TestPowerLoss' -v -timeout 0 -campaign $(FOR) -campaign.seed $(SEED) -campaign.report "$(REPORT)"
