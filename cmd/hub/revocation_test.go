package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// crlServer is where an authority has its list of revoked certificates. It is
// down until it is started.
type crlServer struct {
	site    *site
	address string
}

// asksAbout has the hub ask a server about revocation.
func asksAbout(policy, address string) func(string) string {
	return func(yaml string) string {
		yaml = strings.Replace(yaml, "retry_first: 30s", "retry_first: 200ms", 1)
		yaml = strings.Replace(yaml, "retry_most: 1h", "retry_most: 1s", 1)
		return strings.Replace(yaml, "revocation: off  ", fmt.Sprintf(`revocation: %s
  revocation_allow: ["127.0.0.0/8"]
  issuers:
    - certificate: trust/roots.pem
      crls: ["http://%s/authority.crl"]`, policy, address), 1)
	}
}

// start serves a list that names the certificates until the test ends.
func (c crlServer) start(revoked ...*x509.Certificate) {
	t := c.site.t
	t.Helper()
	now := time.Now()
	list := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(24 * time.Hour)}
	for _, r := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: r.SerialNumber, RevocationTime: now.Add(-time.Hour), ReasonCode: 1})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, c.site.authority.certificate, c.site.authority.key)
	must(t, err)
	l, err := net.Listen("tcp", c.address)
	must(t, err)
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/pkix-crl")
		_, _ = w.Write(der) // the hub notices
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close() // it has nothing to lose
		<-done
	})
}

// TestNothingWasKnownOfRevocation: while the authority's server is down packages
// are taken in with receipts that say so. The hub is killed, the server comes
// back, and further receipts tell what is known now.
func TestNothingWasKnownOfRevocation(t *testing.T) {
	t.Parallel()
	list := crlServer{address: freeAddress(t)}
	s := newSite(t, asksAbout("soft-fail", list.address))
	list.site = s
	s.start()
	finance, health, ward, stolen := s.join("H12.07"), s.join("H12.12"), s.join("H12.40"), s.join("H12.66")
	honest, err := finance.submit(t.Context(), finance.signed(t, finance.letter(1, 100, "H12.12")))
	must(t, err)
	forged, err := stolen.submit(t.Context(), stolen.signed(t, stolen.letter(2, 100, "H12.12", "H12.40")))
	must(t, err)
	for _, done := range []exchange.Submission{honest, forged} {
		_, e, _, err := exchange.ParseReceipt(done.Receipt.Raw)
		must(t, err)
		if f := e.Basis.Revocation; f.State != exchange.RevocationUnknown || f.Reason == "" || !strings.Contains(f.Source, list.address) || e.Basis.Matched != exchange.MatchedRegistered {
			t.Errorf("with the server down the receipt rests on %+v", e.Basis)
		}
	}
	waiting := s.inboxOf(health, 2)
	i := slices.IndexFunc(waiting, func(item exchange.InboxItem) bool { return item.Package.ID == forged.Package })
	_, err = health.fetch(t.Context(), waiting[i]) // the ward's is not fetched
	must(t, err)
	s.inboxOf(ward, 1)
	if out := s.desk(finance).agency("status", string(honest.Package)); !strings.Contains(out, "it is not known yet whether") {
		t.Errorf("the sender is shown\n%s", out)
	}
	if n := s.metric("tram_doubtful_signatures"); n != 2 {
		t.Errorf("%d signatures are doubtful", n)
	}
	if out := s.mustHub("packages", string(honest.Package), "--config", s.config()); !strings.Contains(out, "unknown: the authority's server") {
		t.Errorf("of the package the hub says\n%s", out)
	}
	if out := s.mustHub("revocation", "--config", s.config()); !strings.Contains(out, "soft-fail") || !strings.Contains(out, string(honest.Package)) || !strings.Contains(out, list.address) {
		t.Errorf("of revocation it says\n%s", out)
	}
	if out, _, code := s.hub("check", "--config", s.config()); code != exitWarnings || !strings.Contains(out, "2 signatures were accepted") {
		t.Errorf("hub check: %d\n%s", code, out)
	}
	if out := s.audited(exitOK); !strings.Contains(out, "Doubtful    2 signatures") {
		t.Errorf("the auditor says\n%s", out)
	}

	s.kill() // what is pending is in the ledger
	list.start(stolen.certificate)
	s.start()
	eventually(t, "nothing is doubtful any more", func() bool { return s.metric("tram_doubtful_signatures") == 0 })

	if e := s.established(finance, honest.Package, ""); e.Basis.Later.State != exchange.RevocationGood || e.Basis.Revocation.State != exchange.RevocationUnknown || e.Reason != "" {
		t.Errorf("of the honest package it is known that %+v", e.Basis)
	}
	if e := s.established(stolen, forged.Package, ""); e.Basis.Later.State != exchange.RevocationRevoked || e.Basis.Later.Reason != "keyCompromise" || e.Reason != exchange.Revoked {
		t.Errorf("of the forged package it is known that %+v", e)
	}
	if e := s.established(health, forged.Package, waiting[i].Delivery.ID); e.Reason != exchange.Revoked {
		t.Errorf("who has the forged package is told %+v", e)
	}
	view, err := s.admin.Package(t.Context(), forged.Package)
	must(t, err)
	if d := view.Deliveries[0]; d.State != exchange.Consigned || d.SenderRevoked.IsZero() {
		t.Errorf("what was fetched is %+v", d)
	}
	if d := view.Deliveries[1]; d.State != exchange.Failed || d.Reason != exchange.Revoked {
		t.Errorf("what was not fetched is %+v", d)
	}
	if page, err := ward.hub.Inbox(t.Context(), "", "", 0, 0); err != nil || len(page.Items) != 0 {
		t.Errorf("the ward's inbox has %v, %v", page.Items, err)
	}
	if out := s.desk(stolen).agency("status", string(forged.Package)); !strings.Contains(out, "(the package's certificate had been revoked)") || strings.Contains(out, "not known yet") {
		t.Errorf("its sender is shown\n%s", out)
	}
	s.refuses(stolen, 403, exchange.Revoked, "certificate-revoked")
	if out := s.mustHub("deliveries", string(waiting[i].Delivery.ID), "--config", s.config()); !strings.Contains(out, "had been revoked") {
		t.Errorf("of the delivery it says\n%s", out)
	}

	evidence := s.evidenceOf(finance, honest.Package)
	s.evidenceOf(stolen, forged.Package, evidence)
	if out := s.audited(exitOK, "--receipts", evidence); strings.Contains(out, "Doubtful") {
		t.Errorf("the auditor says\n%s", out)
	}
	s.stop()
	healthy(t, s)
	must(t, os.RemoveAll(s.dir)) // nothing is left but the papers
	said := output(t, exec.Command("auditor", append([]string{"verify", "--keys", filepath.Join(evidence, "keys.json")}, receiptsIn(t, evidence)...)...))
	for _, words := range []string{"RevocationEstablished: what was not known", "Revocation  nothing was known of the certificate", "Later       not revoked", "Later       the certificate had been revoked", "keyCompromise"} {
		if !strings.Contains(said, words) {
			t.Errorf("the auditor does not say %q:\n%s", words, said)
		}
	}
}

// TestNobodyJudgesWithoutKnowing: with hard-fail the sender is asked to come
// back, and nothing is kept.
func TestNobodyJudgesWithoutKnowing(t *testing.T) {
	t.Parallel()
	list := crlServer{address: freeAddress(t)}
	s := newSite(t, asksAbout("hard-fail", list.address))
	list.site = s
	s.start()
	finance, health := s.join("H12.07"), s.join("H12.12")
	pkg := finance.signed(t, finance.letter(1, 100, "H12.12"))
	leaves := s.metric("tram_log_leaves")
	_, err := finance.submit(t.Context(), pkg)
	var p *httpclient.Problem
	if !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable || p.Code != exchange.Busy || p.Rule != "revocation-unknown" || p.RetryAfter <= 0 || p.Receipt != "" {
		t.Fatalf("with the server down: %+v, %v", p, err)
	}
	if now := s.metric("tram_log_leaves"); now != leaves || s.metric("tram_doubtful_signatures") != 0 {
		t.Errorf("the log grew from %d leaves to %d", leaves, now)
	}
	for _, file := range s.kept() {
		if info, err := os.Stat(file); err != nil || !info.IsDir() {
			t.Errorf("%s is kept", file)
		}
	}
	s.stop()
	list.start()
	s.start()
	done, err := finance.submit(t.Context(), pkg)
	must(t, err)
	_, e, _, err := exchange.ParseReceipt(done.Receipt.Raw)
	must(t, err)
	if e.Basis.Revocation.State != exchange.RevocationGood || e.Basis.Revocation.ThisUpdate.IsZero() {
		t.Errorf("with the server up the receipt rests on %+v", e.Basis)
	}
	item := s.inboxOf(health, 1)[0]
	answer, err := health.answer(item, exchange.AnswerAccepted, "")
	must(t, err)
	raw, _, err := health.hub.Acknowledge(t.Context(), item.Delivery.ID, answer)
	must(t, err)
	if _, e, _, err = exchange.ParseReceipt(raw.Raw); err != nil || e.Basis.Revocation.State != exchange.RevocationGood {
		t.Errorf("the handover rests on %+v, %v", e.Basis, err)
	}
	if out := s.mustHub("certificates", "--config", s.config()); !strings.Contains(out, "crl ") || !strings.Contains(out, list.address) {
		t.Errorf("what ends is\n%s", out)
	}
	s.stop()
	healthy(t, s)
}

// refuses has the hub refuse a package of the member, on record.
func (s *site) refuses(m *member, status int, code exchange.Code, rule string) {
	s.t.Helper()
	_, err := m.submit(s.t.Context(), m.signed(s.t, m.letter(99, 100, "H12.12")))
	var p *httpclient.Problem
	if !errors.As(err, &p) || p.Status != status || p.Code != code || p.Rule != rule || p.Receipt == "" {
		s.t.Errorf("refused is %+v, %v", p, err)
	}
}

// inboxOf waits for n deliveries in a member's inbox.
func (s *site) inboxOf(m *member, n int) []exchange.InboxItem {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	for {
		page, err := m.hub.Inbox(ctx, "", "", 0, time.Second)
		must(s.t, err)
		if len(page.Items) == n {
			return page.Items
		}
	}
}

// established is the one receipt of what was found out, as a member reads it.
func (s *site) established(m *member, id exchange.PackageID, delivery exchange.DeliveryID) exchange.Evidence {
	s.t.Helper()
	list, err := m.hub.Receipts(s.t.Context(), id)
	must(s.t, err)
	var found []exchange.Evidence
	for _, r := range list {
		if r.Event != exchange.RevocationEstablished || r.Delivery != delivery {
			continue
		}
		raw, err := m.hub.Receipt(s.t.Context(), r.ID)
		must(s.t, err)
		_, e, _, err := exchange.ParseReceipt(raw)
		must(s.t, err)
		found = append(found, e)
	}
	if len(found) != 1 {
		s.t.Fatalf("%s finds %d receipts of what was found out about %s %s", m.code, len(found), id, delivery)
	}
	return found[0]
}

// evidenceOf saves a package's receipts with their proofs, and the hub's keys.
func (s *site) evidenceOf(m *member, id exchange.PackageID, dirs ...string) string {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "evidence")
	if len(dirs) > 0 {
		dir = dirs[0]
	}
	must(s.t, os.MkdirAll(dir, 0o700))
	keys, err := s.admin.Keys(s.t.Context())
	must(s.t, err)
	text, err := json.Marshal(keys)
	must(s.t, err)
	must(s.t, os.WriteFile(filepath.Join(dir, "keys.json"), text, 0o600))
	list, err := m.hub.Receipts(s.t.Context(), id)
	must(s.t, err)
	for _, r := range list {
		raw, err := m.hub.Receipt(s.t.Context(), r.ID)
		must(s.t, err)
		proof, err := m.hub.Proof(s.t.Context(), r.ID)
		must(s.t, err)
		must(s.t, os.WriteFile(filepath.Join(dir, string(r.ID)+".xml"), raw, 0o600))
		must(s.t, os.WriteFile(filepath.Join(dir, string(r.ID)+".tlog-proof"), proof, 0o600))
	}
	return dir
}

// audited has the auditor check the whole record.
func (s *site) audited(want int, args ...string) string {
	s.t.Helper()
	out, errOut, code := s.run("auditor", append([]string{"check", "https://" + s.address, "--roots", s.path("keys", "tls-root.pem"), "--user", "admin",
		"--secret-file", s.path("admin.secret")}, args...)...)
	if code != want {
		s.t.Errorf("auditor check: %d\n%s%s", code, out, errOut)
	}
	return out
}
