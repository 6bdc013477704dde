package bench

import (
	"crypto"
	"crypto/x509"

	"tram/exchange"
	"tram/signing"
)

// Site is a hub made for measuring: a directory, not yet served, and the agencies
// in its registry with their keys.
type Site struct {
	Dir       string // that measuring may put files in
	Program   string // the hub's executable
	Config    string // its hub.yaml
	Ledger    string // file
	Vault     string // directory
	Address   string // where agencies connect
	Operators string // where profiles and metrics are
	Roots     *x509.CertPool
	Admin     struct{ ID, Secret string } // an administrator
	Agencies  []*Agency
	// Seeded is how many deliveries the ledger was given beforehand.
	Seeded int64
}

// Agency is an agency with its system and its keys.
type Agency struct {
	Code, Name     string
	System, Secret string
	Key            crypto.Signer // signs packages
	Certificate    *x509.Certificate
	Sealer         *signing.Sealer // seals acknowledgements
}

// Entry is the agency as it stands in the registry, with the certificates that it
// signs packages and acknowledgements with.
func (a *Agency) Entry() exchange.Agency {
	entry := exchange.Agency{Code: a.Code, Name: a.Name, Parent: "H12", Aliases: []exchange.Alias{{Code: "000." + a.Code}}}
	for _, c := range []*x509.Certificate{a.Certificate, a.Sealer.Certificate()} {
		entry.Certificates = append(entry.Certificates, exchange.Certificate{DER: c.Raw, SHA256: exchange.DigestOf(c.Raw), Subject: c.Subject.String()})
	}
	return entry
}
