# How long, and with which first state of chance (0: the time's).
FOR ?= 1h
SEED ?= 0

# Compares verdicts on changed documents with xmlsec1, libxml2, the JDK and
# goxmldsig, and prints every class of them. KEEP=DIRECTORY keeps examples.
.PHONY: differential
differential:
	go test ./signing -run TestDifferential -v -timeout 0 -differential $(FOR) -differential.seed $(SEED) -differential.keep "$(KEEP)"

# Does a hub under load all the harm on the list (cmd/hub/campaign_faults_test.go):
# kills it, fills its disk, fails its writes, sets its clock, takes its power away.
# REPORT=FILE keeps what came of it as JSON. As root it has a small disk to fill.
REPORT ?=
.PHONY: campaign
campaign:
	go test ./cmd/hub -run 'TestCampaign|TestPowerLoss' -v -timeout 0 -campaign $(FOR) -campaign.seed $(SEED) -campaign.report "$(REPORT)"
