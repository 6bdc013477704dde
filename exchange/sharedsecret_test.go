package exchange_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"tram/exchange"
)

// TestSharedSecrets: two are taken during a rotation, the ledger holds none in
// clear, and one that was sealed for another system does not open.
func TestSharedSecrets(t *testing.T) {
	h := newProvince(t)
	admin := administrator
	put := func(id string, version int64) exchange.System {
		s, err := h.x.PutSystem(t.Context(), admin, exchange.System{ID: id, Name: id, Version: version})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	put("one", 0)
	put("two", 0)
	proves := func(id, secret string) error {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte("message"))
		_, err := h.x.AuthenticateMAC(t.Context(), id, "message", mac.Sum(nil))
		return err
	}
	if _, err := h.x.IssueSharedSecret(t.Context(), admin, "one", "former-secret"); err != nil {
		t.Fatal(err)
	}
	fresh, err := h.x.IssueSharedSecret(t.Context(), admin, "one", "")
	if err != nil || len(fresh) != 44 {
		t.Fatalf("%q, %v", fresh, err)
	}
	if err := proves("one", "former-secret"); err != nil {
		t.Errorf("the former secret during the rotation: %v", err)
	}
	if err := proves("one", fresh); err != nil {
		t.Errorf("the new secret: %v", err)
	}
	for _, wrong := range []struct{ id, secret string }{{"one", "another-one"}, {"two", fresh}, {"nobody", fresh}, {"one", ""}} {
		if err := proves(wrong.id, wrong.secret); exchange.CodeOf(err) != exchange.Unauthenticated {
			t.Errorf("%v proves itself: %v", wrong, err)
		}
	}
	kept, err := h.ledger.System(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(kept); bytes.Contains(text, []byte("former")) || bytes.Contains(text, []byte(fresh)) {
		t.Errorf("the ledger has a secret in clear: %s", text)
	}
	again := put("one", kept.Version)
	if len(again.Shared) != 2 {
		t.Errorf("a change of the system loses its secrets: %+v", again.Shared)
	}
	h.clock.advance(8 * 24 * time.Hour)
	if err := proves("one", "former-secret"); exchange.CodeOf(err) != exchange.Unauthenticated {
		t.Errorf("the former secret after the rotation: %v", err)
	}
	for _, bad := range []string{"short", "line\xff-that-is-no-utf8"} {
		if _, err := h.x.IssueSharedSecret(t.Context(), admin, "one", bad); exchange.CodeOf(err) != exchange.Malformed {
			t.Errorf("the secret %q: %v", bad, err)
		}
	}
	if _, err := h.x.IssueSharedSecret(t.Context(), exchange.Caller{}, "one", ""); exchange.CodeOf(err) != exchange.NotPermitted {
		t.Errorf("anyone issues a secret: %v", err)
	}
}
