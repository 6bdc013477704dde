package main

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tram/adapters/webhook"
	"tram/exchange"
)

// What an agency is told holds under the key that the hub publishes.
func TestAnnouncementsHold(t *testing.T) {
	s := newSite(t, setting("  key: keys/webhook.key", "  key: keys/webhook.key\n  allow: [\"127.0.0.0/8\"]\n  roots: trust/roots.pem")).start()
	keys, err := s.admin.Keys(t.Context())
	must(t, err)
	told := make(chan error, 16)
	sender := s.join("H12.01")
	s.join("H12.02", func(a *exchange.Agency) {
		a.Mode, a.Webhook = exchange.Push, s.listener(func(r *http.Request, body []byte) {
			told <- webhook.Verify(keys.Webhook, r.Header, body, time.Now())
		})
	})
	_, err = sender.submit(t.Context(), sender.signed(t, sender.letter(1, 100, "H12.02")))
	must(t, err)
	select {
	case err := <-told:
		must(t, err)
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told")
	}
	s.stop()
}

// listener is an agency's own server, with a certificate that the hub trusts. It
// returns its URL.
func (s *site) listener(hear func(r *http.Request, body []byte)) string {
	return s.listenerThat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			s.t.Error(err)
		}
		hear(r, body)
		w.WriteHeader(http.StatusNoContent)
	}))
}

// listenerThat is a listener that answers as it likes.
func (s *site) listenerThat(answers http.Handler) string {
	s.t.Helper()
	key, err := newECKey()
	must(s.t, err)
	certificate, err := s.authority.server([]string{"127.0.0.1"}, key.Public(), s.born)
	must(s.t, err)
	server := httptest.NewUnstartedServer(answers)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // hubs that are killed break connections off
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}}}
	server.StartTLS()
	s.t.Cleanup(server.Close)
	return server.URL
}
