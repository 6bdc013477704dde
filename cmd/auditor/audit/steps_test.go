package audit

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/cmd/hub/hubtest"
	"tram/exchange"
	"tram/signing"
)

// explained runs explain and returns what it says in JSON.
func explained(t *testing.T, wantCode int, args ...string) explanation {
	t.Helper()
	code, stdout, stderr := audit(t, append([]string{"explain", "--json"}, args...)...)
	if code != wantCode {
		t.Fatalf("exits with %d: %s%s", code, stdout, stderr)
	}
	var e explanation
	if err := json.Unmarshal([]byte(stdout), &e); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	for _, s := range e.Steps {
		if stepWords[s.Step].Vi == "" || slices.ContainsFunc(s.Facts, func(f factOut) bool { return factWords[f.Name].Vi == "" }) {
			t.Errorf("a step or a fact without words: %+v", s)
		}
	}
	return e
}

// outcomes are the steps that hold, and those that fail with their rules.
func (e explanation) outcomes() (held, failed []string) {
	for _, s := range e.Steps {
		switch s.Outcome {
		case holds:
			held = append(held, s.Step)
		case fails:
			failed = append(failed, s.Step+" "+s.Rule)
		}
	}
	return held, failed
}

func TestExplainPackages(t *testing.T) {
	authority := hubtest.NewKey(t, "Authority", nil)
	signed := packageFor(t, hubtest.NewKey(t, "Agency A", authority), 0)
	trust := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "roots.pem"), []byte(authority.PEM()))
	others := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "others.pem"), []byte(hubtest.NewKey(t, "Other", nil).PEM()))
	own, err := signing.Read(bytes.NewReader(signed), signing.Options{SignatureIn: [][]signing.Name{edxml.SignaturePlace()}})
	if err != nil {
		t.Fatal(err)
	}
	registered := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "a.pem"), []byte((&hubtest.Key{Certificate: own.Signature.Certificate}).PEM()))
	yesterday := time.Now().Add(-24 * time.Hour).Format(time.RFC3339)
	changed := func(pairs ...string) func([]byte) []byte {
		return func(b []byte) []byte {
			for i := 0; i < len(pairs); i += 2 {
				if !bytes.Contains(b, []byte(pairs[i])) {
					t.Fatalf("there is no %q", pairs[i])
				}
				b = bytes.Replace(b, []byte(pairs[i]), []byte(pairs[i+1]), 1)
			}
			return b
		}
	}
	all := []string{"document", "signature", "canonicalization", "signature-method", "reference", "certificate", "signature-value", "content"}
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
		args   []string
		fails  []string
		also   []string // holds besides all but what fails
	}{
		{"as it is", changed(), []string{"--trust", trust}, nil, []string{"chain"}},
		{"of an authority that does not count", changed(), []string{"--trust", others}, []string{"chain untrusted-chain"}, nil},
		{"of the certificate registered", changed(), []string{"--certificate", registered}, nil, []string{"registered"}},
		{"of another certificate than that registered", changed(), []string{"--certificate", others}, []string{"registered certificate-not-registered"}, nil},
		{"before its certificate was in force", changed(), []string{"--trust", trust, "--at", yesterday}, []string{"chain certificate-not-yet-valid"}, nil},
		{"a letter changed", changed("V/v thử", "V/v thứ"), nil, []string{"reference digest-mismatch"}, nil},
		{"a letter changed and the method, too", changed("V/v thử", "V/v thứ", "#ecdsa-sha256", "#ecdsa-sha1"), nil,
			[]string{"signature-method sha1", "reference digest-mismatch"}, nil},
		{"with a transform that is not accepted", changed("#enveloped-signature", "#base64"), nil,
			[]string{"reference transform-not-allowed", "signature-value signature-mismatch"}, nil},
		{"cut short", func(b []byte) []byte { return b[:len(b)-20] }, nil, []string{"document truncated"}, nil},
		{"with a comment", changed("<edXML:Subject>", "<!-- --><edXML:Subject>"), nil, []string{"document comment"}, nil},
		{"another attachment", changed("JVBERg==", "JVBER!=="), nil, []string{"attachment base64-character", "reference digest-mismatch"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "p.edxml"), c.change(bytes.Clone(signed)))
			code := 0
			if c.fails != nil {
				code = 1
			}
			e := explained(t, code, append(c.args, file)...)
			held, failed := e.outcomes()
			if !slices.Equal(failed, c.fails) || e.OK != (c.fails == nil) || e.Kind != "package" {
				t.Errorf("fails by %q, want %q (%v, %s)", failed, c.fails, e.OK, e.Kind)
			}
			if c.fails == nil && !slices.Equal(held, append(all, c.also...)) {
				t.Errorf("holds are %q", held)
			}
			for _, s := range e.Steps {
				if s.Outcome == fails && (s.Text == "" || s.Line == 0 && s.Step != stepChain && s.Step != stepRegistered) {
					t.Errorf("a failure without words or a place: %+v", s)
				}
			}
		})
	}
}

// TestExplainReceipts: the seal, the log, and what the hub did not publish.
func TestExplainReceipts(t *testing.T) {
	hub := hubtest.New(t)
	c := correspond(t, hub, 1)
	keys, file := hub.KeysFile(t), c.of(t, exchange.SubmissionAcceptance)[0]
	e := explained(t, 0, "--keys", keys, file)
	held, _ := e.outcomes()
	for _, want := range []string{"signed-properties", "content", "signing-time", "seal", "log"} {
		if !slices.Contains(held, want) {
			t.Errorf("%s does not hold: %+v", want, e.Steps)
		}
	}
	if e.Kind != "receipt" {
		t.Errorf("it is a %s", e.Kind)
	}

	other := hub.Keys
	other.Sealing = []string{hubtest.NewKey(t, "Other hub", nil).PEM()}
	b, err := json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	otherKeys := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "keys.json"), b)
	if _, failed := explained(t, 1, "--keys", otherKeys, file).outcomes(); !slices.Equal(failed, []string{"seal seal-unknown"}) {
		t.Errorf("under another hub's keys it fails by %q", failed)
	}
	proof := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "p"), bytes.Replace(readFile(t, strings.TrimSuffix(file, ".xml")+proofSuffix), []byte("hub.test"), []byte("hub.best"), 1))
	if _, failed := explained(t, 1, "--keys", keys, "--proof", proof, file).outcomes(); !slices.Equal(failed, []string{"log proof-broken"}) {
		t.Errorf("with another proof it fails by %q", failed)
	}
}

// TestExplainInWords: what a person reads, in both languages.
func TestExplainInWords(t *testing.T) {
	signed := packageFor(t, hubtest.NewKey(t, "Agency A", hubtest.NewKey(t, "Authority", nil)), 0)
	file := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "p.edxml"), bytes.Replace(signed, []byte("V/v thử"), []byte("V/v thứ"), 1))
	t.Setenv("LC_ALL", "vi_VN.UTF-8")
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--lang", "en"}, []string{"(package): DOES NOT HOLD", "✓ Document", "✗ Reference, line ", "digest-mismatch: The document was changed after it was signed.",
			"digest stated", "digest computed", `"" (the whole document)`, "- Chain", "give --trust", "key usage              digitalSignature", "To mend first: Reference, line "}},
		{nil, []string{"(gói tin): KHÔNG HỢP LỆ", "✓ Tài liệu", "✗ Tham chiếu, dòng ", "digest-mismatch: Nội dung đã bị thay đổi sau khi ký số.",
			"mã băm trong chữ ký", "mã băm tính được", `"" (toàn bộ tài liệu)`, "Cần sửa trước tiên: Tham chiếu, dòng "}},
	} {
		code, stdout, _ := audit(t, append(append([]string{"explain"}, c.args...), file)...)
		for _, want := range c.want {
			if code != 1 || !strings.Contains(stdout, want) {
				t.Errorf("exits with %d, does not say %q:\n%s", code, want, stdout)
			}
		}
	}
	if code, _, stderr := audit(t, "explain", "--lang", "fr", file); code != 2 || !strings.Contains(stderr, "vi or en") {
		t.Errorf("in French: exits with %d: %s", code, stderr)
	}
	unsigned := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "u.xml"), []byte("<a/>"))
	if code, stdout, _ := audit(t, "explain", "--lang", "en", unsigned); code != 1 || !strings.Contains(stdout, "(document): DOES NOT HOLD") || !strings.Contains(stdout, "carries no signature") {
		t.Errorf("without a signature: exits with %d: %s", code, stdout)
	}
}

// TestEveryStepAndFactHasWords, in both languages.
func TestEveryStepAndFactHasWords(t *testing.T) {
	var steps, facts []string
	note := func(s signing.Step) {
		steps = append(steps, string(s.Name))
		for _, f := range s.Facts {
			facts = append(facts, f.Name)
		}
	}
	files, err := filepath.Glob("../../../testdata/vectors/*.xml")
	if err != nil || len(files) < 100 {
		t.Fatal("where are the vectors?", err)
	}
	place := [][]signing.Name{edxml.SignaturePlace()}
	for _, file := range files {
		_, _ = signing.Explain(bytes.NewReader(readFile(t, file)), signing.Options{SignatureIn: place}, note) // the steps are what is wanted
	}
	if len(steps) < 8 || len(facts) < 20 {
		t.Fatal("the vectors showed too little")
	}
	for _, s := range steps {
		if w := stepWords[s]; w.En == "" || w.Vi == "" {
			t.Errorf("the step %s has no words", s)
		}
	}
	for _, f := range facts {
		if w := factWords[f]; w.En == "" || w.Vi == "" {
			t.Errorf("the fact %s has no words", f)
		}
	}
}

// TestExplainRevocation, by a list that the authority signed.
func TestExplainRevocation(t *testing.T) {
	authority := hubtest.NewKey(t, "Authority", nil)
	a := hubtest.NewKey(t, "Agency A", authority)
	signed := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "p.edxml"), packageFor(t, a, 0))
	trust := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "roots.pem"), []byte(authority.PEM()))
	list := func(by *hubtest.Key, revoked ...x509.RevocationListEntry) string {
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute),
			NextUpdate: time.Now().Add(time.Hour), RevokedCertificateEntries: revoked}, by.Certificate, by.Signer)
		if err != nil {
			t.Fatal(err)
		}
		return hubtest.WriteFile(t, filepath.Join(t.TempDir(), "list.crl"), der)
	}
	taken := x509.RevocationListEntry{SerialNumber: a.Certificate.SerialNumber, RevocationTime: time.Now().Add(-time.Minute), ReasonCode: 1}
	stranger := hubtest.NewKey(t, "Stranger", nil)
	for _, c := range []struct {
		name, crl, outcome, rule string
		code                     int
	}{
		{"not in the list", list(authority), holds, "", 0},
		{"in the list", list(authority, taken), fails, "revoked", 1},
		{"in the list of another", list(stranger, taken), notChecked, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := explained(t, c.code, "--trust", trust, "--crl", c.crl, signed)
			i := slices.IndexFunc(e.Steps, func(s stepOut) bool { return s.Step == stepRevocation })
			if i < 0 || e.Steps[i].Outcome != c.outcome || e.Steps[i].Rule != c.rule || (e.Steps[i].Text == "") != (c.outcome == holds) {
				t.Errorf("%+v", e.Steps)
			}
		})
	}
}
