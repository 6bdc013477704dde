package main

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/adapters/httpapi"
	"tram/adapters/httpclient"
	"tram/adapters/keystore"
	"tram/cmd/hub/hubtest"
	"tram/exchange"
	"tram/signing"
)

// dial connects to the hub as somebody.
func dial(t *testing.T, h *hubtest.Hub, id, secret string) *httpclient.Client {
	t.Helper()
	c, err := httpclient.New(httpclient.Config{URL: h.URL, ID: id, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// signedPackage is a package from one agency to another.
func signedPackage(t *testing.T, by *hubtest.Key, from, to, number string) []byte {
	t.Helper()
	var plain, signed bytes.Buffer
	err := edxml.Write(&plain, edxml.Document{From: edxml.Organ{Code: from}, To: []edxml.Organ{{Code: to}}, Number: number,
		Date: time.Now(), TypeName: "Công văn", Subject: "s", Sent: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := signing.Sign(&signed, bytes.NewReader(plain.Bytes()), by.Signer, []*x509.Certificate{by.Certificate}, edxml.SignaturePlace()); err != nil {
		t.Fatal(err)
	}
	return signed.Bytes()
}

// The client and the hub's server agree on every call that administrators and
// operators make.
func TestClientAgreesWithTheHub(t *testing.T) {
	hub := hubtest.New(t)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	admin := dial(t, hub, "user:root", hub.Person(t, "root", exchange.Administrator))

	a, b := hubtest.NewKey(t, "A", hub.Roots), hubtest.NewKey(t, "B", hub.Roots)
	put, err := admin.PutAgency(ctx, exchange.Agency{Code: "H12.60", Name: "A"}, a.PEM())
	must(err)
	if put.Version != 1 || !put.Holds(exchange.DigestOf(a.Certificate.Raw), time.Now()) {
		t.Errorf("kept %+v", put)
	}
	_, err = admin.PutAgency(ctx, exchange.Agency{Code: "H12.61", Name: "B"}, b.PEM())
	must(err)
	if _, err = admin.PutAgency(ctx, exchange.Agency{Code: "H12.60", Name: "late"}); !errors.Is(err, &httpclient.Problem{Code: exchange.Conflict}) {
		t.Errorf("a stale entry was kept: %v", err)
	}
	one, err := admin.Agency(ctx, "H12.60")
	must(err)
	all, err := admin.Agencies(ctx, "", 1)
	must(err)
	if one.Name != "A" || len(all.Agencies) != 1 || all.Cursor == "" {
		t.Errorf("found %+v and %+v", one, all)
	}
	_, err = admin.PutSystem(ctx, exchange.System{ID: "s60", Name: "s", Agencies: []string{"H12.60"}})
	must(err)
	_, err = admin.PutSystem(ctx, exchange.System{ID: "s61", Name: "s", Agencies: []string{"H12.61"}})
	must(err)
	systems, err := admin.Systems(ctx)
	must(err)
	system, err := admin.System(ctx, "s60")
	must(err)
	if len(systems) != 2 || system.Name != "s" {
		t.Errorf("found %+v and %+v", systems, system)
	}
	fromSecret, err := admin.IssueSystemSecret(ctx, "s60")
	must(err)
	toSecret, err := admin.IssueSystemSecret(ctx, "s61")
	must(err)
	_, err = admin.PutUser(ctx, exchange.User{ID: "op", Name: "Op", Role: exchange.Operator})
	must(err)
	opSecret, err := admin.IssueUserSecret(ctx, "op")
	must(err)
	users, err := admin.Users(ctx)
	must(err)
	if len(users) != 2 {
		t.Errorf("found %+v", users)
	}
	made, err := admin.Backup(ctx, exchange.BackupOrder{Directory: filepath.Join(t.TempDir(), "backup")})
	must(err)
	if made.Leaves == 0 || made.Packages.Contents != 0 {
		t.Errorf("the backup is %+v", made)
	}

	// A pipe cannot be wound back; its size is not known either.
	from, to, operator := dial(t, hub, "s60", fromSecret), dial(t, hub, "s61", toSecret), dial(t, hub, "user:op", opSecret)
	s, err := from.Submit(ctx, io.MultiReader(bytes.NewReader(signedPackage(t, a, "H12.60", "H12.61", "1"))), -1)
	must(err)
	page, err := to.Inbox(ctx, "H12.61", "", 0, 10*time.Second)
	must(err)
	if len(page.Items) != 1 || page.Items[0].Package.ID != s.Package {
		t.Fatalf("the inbox holds %+v", page)
	}
	id := page.Items[0].Delivery.ID
	held, err := operator.Hold(ctx, id, "looking into it")
	must(err)
	if _, err := operator.Retry(ctx, id, "now"); !errors.Is(err, &httpclient.Problem{Code: exchange.Conflict}) {
		t.Errorf("a held delivery was retried: %v", err)
	}
	released, err := operator.Release(ctx, id, "all right")
	must(err)
	cancelled, err := operator.Cancel(ctx, id, "sent by mistake")
	must(err)
	if held.State != exchange.Held || released.State != exchange.Consigned || cancelled.State != exchange.Failed {
		t.Errorf("went through %s, %s, %s", held.State, released.State, cancelled.State)
	}
	first, err := operator.Actions(ctx, "", 2)
	must(err)
	rest, err := operator.Actions(ctx, first.Cursor, 2)
	must(err)
	if len(first.Actions) != 2 || len(rest.Actions) != 2 || first.Actions[0].Verb != "cancel" || first.Actions[1].Verb != "release" ||
		rest.Actions[0].Verb != "hold" || rest.Actions[0].Actor != "user:op" || rest.Actions[0].Reason != "looking into it" {
		t.Errorf("on record are %+v and %+v", first, rest)
	}
	failed, err := operator.Deliveries(ctx, exchange.DeliveryQuery{State: exchange.Failed, Sender: "H12.60", Recipient: "H12.61"})
	must(err)
	packages, err := operator.Packages(ctx, exchange.PackageQuery{Sender: "H12.60"})
	must(err)
	if len(failed.Deliveries) != 1 || len(packages.Packages) != 1 {
		t.Errorf("found %+v and %+v", failed, packages)
	}
	if _, err := from.Hold(ctx, id, "x"); !errors.Is(err, &httpclient.Problem{Code: exchange.NotPermitted}) {
		t.Errorf("a system held a delivery: %v", err)
	}
	if _, err := from.Package(ctx, "nothing"); !httpclient.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
	// An inbox that stays empty is waited for.
	began := time.Now()
	empty, err := to.Inbox(ctx, "", "", 0, 300*time.Millisecond)
	must(err)
	if len(empty.Items) > 0 || time.Since(began) < 300*time.Millisecond {
		t.Errorf("answered after %v with %+v", time.Since(began), empty)
	}
}

// A system proves itself by its TLS certificate, and the program believes the
// hub's certificate only from the authority it was told of.
func TestClientCertificate(t *testing.T) {
	hub := hubtest.New(t)
	client := hubtest.NewKey(t, "System", hub.Roots)
	hub.Agency(t, "H12.70", "A", "")
	system, err := hub.Exchange.System(t.Context(), hub.Admin, "sys-H12.70")
	if err != nil {
		t.Fatal(err)
	}
	system.Certificates = []exchange.Digest{exchange.DigestOf(client.Certificate.Raw)}
	if _, err := hub.Exchange.PutSystem(t.Context(), hub.Admin, system); err != nil {
		t.Fatal(err)
	}
	api, err := httpapi.New(httpapi.Config{Exchange: hub.Exchange})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(api.Handler())
	server.TLS = httpapi.TLSConfig(nil)                                              // net/http gives it its test certificate
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of the handshake that fails
	server.StartTLS()
	defer server.Close()

	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(client.Signer)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"inbox", "--url", server.URL,
		"--client-certificate", hubtest.WriteFile(t, filepath.Join(dir, "c.crt"), []byte(client.PEM())),
		"--client-key", hubtest.WriteFile(t, filepath.Join(dir, "c.key"), inPEM("PRIVATE KEY", key))}
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != 1 || !strings.Contains(errs.String(), "certificate") {
		t.Errorf("a hub of an unknown authority: exits with %d: %s%s", code, out.String(), errs.String())
	}
	roots := hubtest.WriteFile(t, filepath.Join(dir, "roots.pem"), inPEM("CERTIFICATE", server.Certificate().Raw))
	out.Reset()
	errs.Reset()
	if code := run(t.Context(), append(args, "--roots", roots), strings.NewReader(""), &out, &errs); code != 0 || !strings.Contains(out.String(), "the inbox is empty") {
		t.Errorf("exits with %d: %s%s", code, out.String(), errs.String())
	}

	// The same key and certificate, in PKCS #12.
	der, err := keystore.EncodePKCS12(keystore.Pair{Key: client.Signer, Chain: []*x509.Certificate{client.Certificate}}, "mật khẩu")
	if err != nil {
		t.Fatal(err)
	}
	args = []string{"inbox", "--url", server.URL, "--roots", roots, "--client-key", hubtest.WriteFile(t, filepath.Join(dir, "c.p12"), der),
		"--client-password-file", hubtest.WriteFile(t, filepath.Join(dir, "password"), []byte("mật khẩu\n"))}
	out.Reset()
	errs.Reset()
	if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != 0 || !strings.Contains(out.String(), "the inbox is empty") {
		t.Errorf("by PKCS #12: exits with %d: %s%s", code, out.String(), errs.String())
	}
}
