package main

import (
	"context"
	"errors"
	"os"

	"tram/cmd/auditor/audit"
	"tram/exchange"
)

// audited plays the auditor's own command: a mirror of the log is made, and the
// whole record is checked, every receipt included.
func (s *stage) audited(ctx context.Context) error {
	if _, err := s.admin.PutUser(ctx, exchange.User{ID: "auditor", Name: "Thanh tra", Role: exchange.Auditor}); err != nil {
		return err
	}
	secret, err := s.admin.IssueUserSecret(ctx, "auditor")
	if err != nil {
		return err
	}
	if err := writeNew(s.path("auditor.secret"), []byte(secret+"\n"), 0o600); err != nil {
		return err
	}
	url, roots := "https://"+s.address, s.path("hub", "keys", "tls-root.pem")
	for _, args := range [][]string{
		{"follow", url, "--once", "--roots", roots, "--keys", s.path("keys.json"), "--dir", s.path("auditor")},
		{"check", url, "--roots", roots, "--keys", s.path("keys.json"), "--user", "auditor", "--secret-file", s.path("auditor.secret"),
			"--receipts", s.path("agencies")},
	} {
		if audit.Run(ctx, args, s.out, os.Stderr) != 0 {
			return errors.New("the audit found that the record does not hold")
		}
	}
	return nil
}
