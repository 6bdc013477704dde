package main

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"tram/adapters/keystore"
	"tram/adapters/revocation"
	"tram/exchange"
	"tram/signing"
)

// loadTrust reads the authorities that agencies' certificates must come from.
func loadTrust(cfg config) (*signing.Trust, error) {
	roots, err := keystore.ReadCertificates(cfg.Trust.Roots)
	if err != nil {
		return nil, fmt.Errorf("trust.roots: %w; put the PEM certificates of the authorities there that agencies' certificates come from", err)
	}
	intermediates, err := readOptional(cfg.Trust.Intermediates)
	if err != nil {
		return nil, fmt.Errorf("trust.intermediates: %w", err)
	}
	trust, err := signing.NewTrust(roots, intermediates)
	if err != nil {
		return nil, err
	}
	trust.Skew = time.Duration(cfg.Trust.ClockSkew)
	return trust, nil
}

// loadIssuers reads the authorities whose lists and responders the
// configuration names.
func loadIssuers(cfg config) ([]revocation.Issuer, error) {
	var issuers []revocation.Issuer
	for _, i := range cfg.Trust.Issuers {
		list, err := keystore.ReadCertificates(i.Certificate)
		if err != nil {
			return nil, fmt.Errorf("trust.issuers: %w", err)
		}
		issuers = append(issuers, revocation.Issuer{Certificate: list[0], CRLs: i.CRLs, OCSP: i.OCSP})
	}
	return issuers, nil
}

// openRevocation starts to ask about revocation; nil if nobody is to be asked.
// What it returns has to be closed.
func openRevocation(cfg config, log *slog.Logger) (*revocation.Service, error) {
	if cfg.Trust.Revocation == "off" {
		return nil, nil
	}
	issuers, err := loadIssuers(cfg)
	if err != nil {
		return nil, usageError{err}
	}
	c := revocation.Config{Dir: cfg.Trust.RevocationDir, Issuers: issuers, Prefer: cfg.Trust.RevocationPrefer, AllowNoSource: cfg.Trust.RevocationOptional,
		Nonce: cfg.Trust.RevocationNonce, Skew: time.Duration(cfg.Trust.ClockSkew), Log: log}
	for _, cidr := range cfg.Trust.RevocationAllow {
		c.Allow = append(c.Allow, netip.MustParsePrefix(cidr)) // validated with the configuration
	}
	s, err := revocation.New(c)
	if err != nil {
		return nil, usageError{fmt.Errorf("trust: %w", err)}
	}
	return s, nil
}

// known are the certificate that the listener shows, and those of the
// authorities that the hub trusts. What cannot be read is left out: loadKeys has
// told of it.
func known(cfg config, pair *tlsPair) []exchange.Known {
	var all []exchange.Known
	if pair != nil {
		for _, der := range pair.now.Load().Certificate {
			if c, err := x509.ParseCertificate(der); err == nil { // it was read before
				all = append(all, exchange.Known{Kind: exchange.TermTLS, Certificate: c})
			}
		}
	}
	for kind, path := range map[exchange.TermKind]string{exchange.TermRoot: cfg.Trust.Roots, exchange.TermIntermediate: cfg.Trust.Intermediates} {
		list, _ := readOptional(path) // told before
		for _, c := range list {
			all = append(all, exchange.Known{Kind: kind, Certificate: c})
		}
	}
	return all
}
