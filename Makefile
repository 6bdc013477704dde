# How long, and with which first state of chance (0: the time's).
FOR ?= 1h
SEED ?= 0

# Compares verdicts on changed documents with xmlsec1, libxml2, the JDK and
# goxmldsig, and prints every class of them. KEEP=DIRECTORY keeps examples.
.PHONY: differential
differential:
	go test ./signing -run TestDifferential -v -timeout 0 -differential $(FOR) -differential.seed $(SEED) -differential.keep "$(KEEP)"
