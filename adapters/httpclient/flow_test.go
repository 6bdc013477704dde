package httpclient_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"tram/adapters/edxml"
	"tram/adapters/httpclient"
	"tram/cmd/hub/hubtest"
	"tram/exchange"
	"tram/signing"
)

// A document goes from one agency to another, and both sides have the evidence.
// The hub is a whole one.
func Example() {
	ctx := context.Background()
	site := newSite()
	defer site.end()
	sender, err := httpclient.New(httpclient.Config{URL: site.URL, ID: "sys-H12.07", Secret: site.secret["H12.07"]})
	check(err)
	recipient, err := httpclient.New(httpclient.Config{URL: site.URL, ID: "sys-H12.12", Secret: site.secret["H12.12"]})
	check(err)

	// The sender composes and signs, keeps the bytes, and submits them.
	var plain, signed bytes.Buffer
	check(edxml.Write(&plain, edxml.Document{From: edxml.Organ{Code: "H12.07"}, To: []edxml.Organ{{Code: "H12.12"}},
		Number: "1250", Notation: "STC-NS", Date: time.Now(), TypeName: "Công văn", Subject: "V/v phân bổ kinh phí", Sent: time.Now()}))
	key := site.key["H12.07"]
	check(signing.Sign(&signed, bytes.NewReader(plain.Bytes()), key.Signer, []*x509.Certificate{key.Certificate}, edxml.SignaturePlace()))
	first, err := sender.Submit(ctx, bytes.NewReader(signed.Bytes()), int64(signed.Len()))
	check(err)
	again, err := sender.Submit(ctx, bytes.NewReader(signed.Bytes()), int64(signed.Len())) // as after a crash
	check(err)
	fmt.Println(first.Receipt.Event, again.Resubmitted, bytes.Equal(first.Receipt.Raw, again.Receipt.Raw))

	// The recipient waits, gets the bytes, and answers for them.
	page, err := recipient.Inbox(ctx, "H12.12", "", 0, 30*time.Second)
	check(err)
	item := page.Items[0]
	check(recipient.FetchFile(ctx, item, filepath.Join(site.dir, "1250.edxml")))
	key = site.key["H12.12"]
	sealer, err := signing.NewSealer(key.Signer, []*x509.Certificate{key.Certificate})
	check(err)
	now := time.Now()
	answer, err := sealer.Seal(exchange.NewAcknowledgement(item.Package, "H12.12", exchange.AnswerAccepted, "", now).Canonical(), now)
	check(err)
	receipt, _, err := recipient.Acknowledge(ctx, item.Delivery.ID, answer)
	check(err)
	fmt.Println(receipt.Event)

	// Whose seal is it, and is the receipt in the log? From here on no hub is
	// needed but for the files.
	keys, err := sender.Keys(ctx) // kept, and compared with what the hub's operators say
	check(err)
	raw, err := sender.Receipt(ctx, receipt.ID)
	check(err)
	proof, err := sender.Proof(ctx, receipt.ID)
	check(err)
	parsed, _, doc, err := exchange.ParseReceipt(raw)
	check(err)
	seals, err := keys.Seals()
	check(err)
	fmt.Println(slices.ContainsFunc(seals, func(s exchange.PublishedSeal) bool {
		return s.Certificate.Equal(doc.Signature.Certificate) && s.Covers(parsed.Time)
	}))
	verifier, err := note.NewVerifier(keys.LogKey)
	check(err)
	_, _, err = exchange.VerifyProof(proof, parsed.LogEntry(), keys.Origin, verifier)
	fmt.Println(err)
	// Output:
	// SubmissionAcceptance true true
	// ContentHandover
	// true
	// <nil>
}

func check(err error) {
	if err != nil {
		log.Panic(err)
	}
}

// site is a hub with two agencies.
type site struct {
	*hubtest.Hub
	scope  *scope
	dir    string
	secret map[string]string
	key    map[string]*hubtest.Key
}

func newSite() *site {
	s := &site{scope: &scope{}, secret: map[string]string{}, key: map[string]*hubtest.Key{}}
	s.Hub, s.dir = hubtest.New(s.scope), s.scope.TempDir()
	for _, code := range []string{"H12.07", "H12.12"} {
		s.key[code] = hubtest.NewKey(s.scope, code, s.Roots)
		s.secret[code] = s.Agency(s.scope, code, code, s.key[code].PEM())
	}
	return s
}

func (s *site) end() {
	for _, f := range slices.Backward(s.scope.cleanups) {
		f()
	}
}

// scope is what an example has in the place of a test: the part of testing.TB
// that hubtest uses.
type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Helper()                  {}
func (s *scope) Fatal(args ...any)        { log.Panic(args...) }
func (s *scope) Error(args ...any)        { log.Panic(args...) }
func (s *scope) Cleanup(f func())         { s.cleanups = append(s.cleanups, f) }
func (s *scope) Log(...any)               {}
func (s *scope) Context() context.Context { return context.Background() }

func (s *scope) TempDir() string {
	dir, err := os.MkdirTemp("", "example-")
	check(err)
	s.Cleanup(func() { check(os.RemoveAll(dir)) })
	return dir
}
