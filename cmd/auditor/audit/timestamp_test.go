package audit

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tram/cmd/hub/hubtest"
	"tram/exchange"
	"tram/signing"
	"tram/signing/tsatest"
)

// withStamp is a receipt with a time-stamp that an authority makes now.
func withStamp(t *testing.T, a *tsatest.Authority, sealed []byte) []byte {
	t.Helper()
	doc, err := signing.Read(bytes.NewReader(sealed), signing.Options{})
	if err != nil {
		t.Fatal(err)
	}
	request := signing.TimeStampRequest{Digest: sha256.Sum256(doc.Signature.Stamped), Nonce: big.NewInt(7)}
	query, err := request.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := a.Answer(query)
	if err != nil {
		t.Fatal(err)
	}
	token, err := request.Token(answer)
	if err != nil {
		t.Fatal(err)
	}
	stamped, err := signing.AddTimeStamp(sealed, token)
	if err != nil {
		t.Fatal(err)
	}
	return stamped
}

// expired is a sealer whose certificate was in force until an hour ago.
func expired(t *testing.T, by *hubtest.Key) (*signing.Sealer, *x509.Certificate) {
	t.Helper()
	k := hubtest.NewKey(t, "Test hub", by)
	template := &x509.Certificate{SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "Test hub of old"}, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().Add(-time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, k.Signer.Public(), by.Signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := signing.NewSealer(k.Signer, []*x509.Certificate{cert})
	if err != nil {
		t.Fatal(err)
	}
	return sealer, cert
}

func TestVerifyTimeStamps(t *testing.T) {
	tsa, other := tsatest.New(t, nil), tsatest.New(t, nil)
	hub := hubtest.New(t)
	c := correspond(t, hub, 2)
	old, oldCertificate := expired(t, hub.Roots)
	hub.Keys.TimeStamp = []string{string(tsa.RootPEM())}
	hub.Keys.Sealing = append(hub.Keys.Sealing, (&hubtest.Key{Certificate: oldCertificate}).PEM())
	keys := hub.KeysFile(t)
	bare := hub.Keys
	bare.TimeStamp = nil
	withoutRoots := (&hubtest.Hub{Keys: bare}).KeysFile(t)
	file := c.of(t, exchange.ContentHandover)[0]
	sealed := readFile(t, file)
	r, _, _, err := exchange.ParseReceipt(sealed)
	if err != nil {
		t.Fatal(err)
	}
	ended := hub.Keys
	ended.Terms = []exchange.SealTerm{{Certificate: exchange.DigestOf(hub.Sealer.Certificate().Raw), Until: r.Time.Add(time.Millisecond)}}
	rotated := (&hubtest.Hub{Keys: ended}).KeysFile(t)
	roots := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "tsa.pem"), tsa.RootPEM())
	otherRoots := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "other.pem"), other.RootPEM())

	second := withStamp(t, tsa, readFile(t, c.of(t, exchange.SubmissionAcceptance)[0]))
	_, otherToken := signing.WithoutTimeStamp(second)
	stamped := withStamp(t, tsa, sealed)
	_, token := signing.WithoutTimeStamp(stamped)
	written := r.Time.Format("2006-01-02T15:04:05.000Z")
	ahead := resealed(t, sealed, hub.Sealer, "<erds:EventTime>"+written, "<erds:EventTime>"+r.Time.Add(2*time.Hour).Format("2006-01-02T15:04:05.000Z"))
	swapped := bytes.Replace(stamped, inBase64(token), inBase64(otherToken), 1)
	late := withStamp(t, tsa, resealed(t, sealed, old))

	for _, v := range []struct {
		name    string
		receipt []byte
		args    []string
		want    string // findings
		says    string
		step    string // what explain says of it
	}{
		{"a time-stamp", stamped, []string{"--keys", keys}, "", `"whileValid": true`, "holds"},
		{"a time-stamp that is needed", stamped, []string{"--keys", keys, "--timestamped"}, "", tsatest.Policy, "holds"},
		{"by roots of the auditor's own", stamped, []string{"--keys", withoutRoots, "--tsa-roots", roots, "--timestamped"}, "", `"checked": true`, "holds"},
		{"without roots", stamped, []string{"--keys", withoutRoots}, "", `"checked": false`, "not-checked"},
		{"needed, and without roots", stamped, []string{"--keys", withoutRoots, "--timestamped"}, "timestamp-missing", "--tsa-roots", "not-checked"},
		{"needed, and not there", sealed, []string{"--keys", keys, "--timestamped"}, "timestamp-missing", "agency receipts", "not-checked"},
		{"of another authority", stamped, []string{"--keys", keys, "--tsa-roots", otherRoots}, "timestamp-broken", "timestamp-untrusted", "fails timestamp-untrusted"},
		{"of another authority, needed", stamped, []string{"--keys", keys, "--tsa-roots", otherRoots, "--timestamped"}, "timestamp-broken", "", "fails timestamp-untrusted"},
		{"of another receipt", swapped, []string{"--keys", keys}, "seal-broken", "timestamp-imprint", "fails timestamp-imprint"},
		{"a receipt from after its time-stamp", withStamp(t, tsa, ahead), []string{"--keys", keys, "--seal-only", "--proof", os.DevNull}, "timestamp-early proof-broken", "existed at", "fails timestamp-early"},
		{"a seal by a certificate that had expired", late, []string{"--keys", keys, "--seal-only", "--proof", os.DevNull}, "proof-broken", `"whileValid": false`, "holds"},
		{"that, where a time-stamp is needed", late, []string{"--keys", keys, "--timestamped", "--proof", os.DevNull}, "timestamp-missing proof-broken", "not in force", "holds"},
		{"a time-stamp from after its key's term", stamped, []string{"--keys", rotated, "--timestamped"}, "", `"whileValid": true`, "holds"},
	} {
		t.Run(v.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(file), ".xml"))
			hubtest.WriteFile(t, name+proofSuffix, readFile(t, strings.TrimSuffix(file, ".xml")+proofSuffix))
			hubtest.WriteFile(t, name+stampedSuffix+".xml", v.receipt)
			code, stdout, stderr := audit(t, append([]string{"verify", "--json", name + stampedSuffix + ".xml"}, v.args...)...)
			if got := verifyNames(t, stdout); got != v.want || (code == 0) != (v.want == "") || !strings.Contains(stdout, v.says) {
				t.Errorf("exits with %d, finds %q, want %q\n%s%s", code, got, v.want, stdout, stderr)
			}
			explainedAsVerified(t, v.want, v.step, append(v.args, name+stampedSuffix+".xml"))
		})
	}
}

// explainedAsVerified holds explain to what verify finds, and to the outcome of the
// time-stamp's step.
func explainedAsVerified(t *testing.T, found, want string, args []string) {
	t.Helper()
	ofVerify := func(arg string) bool { return arg == "--timestamped" || arg == "--seal-only" }
	code, found := 0, strings.TrimSpace(strings.ReplaceAll(found, stampMissing, ""))
	if found != "" {
		code = 1
	}
	e := explained(t, code, slices.DeleteFunc(slices.Clone(args), ofVerify)...)
	i := slices.IndexFunc(e.Steps, func(s stepOut) bool { return s.Step == stepTimeStamp })
	if i < 0 || strings.TrimSpace(e.Steps[i].Outcome+" "+e.Steps[i].Rule) != want {
		t.Errorf("its step is not %q: %+v", want, e.Steps)
	}
	held, failed := e.outcomes()
	if found == "" && (!slices.Contains(held, stepLog) || !slices.Contains(held, stepSeal)) {
		t.Errorf("the seal and the log do not hold: %q, %q", held, failed)
	}
}

// TestCheckWithTimeStamps holds a directory with receipts in both forms to a hub.
func TestCheckWithTimeStamps(t *testing.T) {
	tsa := tsatest.New(t, nil)
	hub := hubtest.New(t)
	c := correspond(t, hub, 2)
	hub.Keys.TimeStamp = []string{string(tsa.RootPEM())}
	for _, file := range c.of(t, exchange.ContentHandover) {
		hubtest.WriteFile(t, strings.TrimSuffix(file, ".xml")+stampedSuffix+".xml", withStamp(t, tsa, readFile(t, file)))
	}
	code, stdout, stderr := audit(t, "check", hub.URL, "--keys", hub.KeysFile(t), "--receipts", c.receipts, "--json")
	if code != 0 || names(t, stdout) != "" || !strings.Contains(stdout, `"held": 6`) {
		t.Errorf("exits with %d: %s%s", code, stdout, stderr)
	}
	file := c.of(t, exchange.ContentHandover)[0]
	twin := withStamp(t, tsa, resealed(t, readFile(t, file), hub.Sealer, "H12.12", "H12.13"))
	hubtest.WriteFile(t, strings.TrimSuffix(file, ".xml")+stampedSuffix+".xml", twin)
	code, stdout, stderr = audit(t, "check", hub.URL, "--keys", hub.KeysFile(t), "--receipts", c.receipts, "--json")
	if got := names(t, stdout); code != 1 || !strings.Contains(got, "receipt-changed") {
		t.Errorf("two receipts of one identifier: exits with %d, finds %q: %s%s", code, got, stdout, stderr)
	}
}

func inBase64(b []byte) []byte { return base64.StdEncoding.AppendEncode(nil, b) }
