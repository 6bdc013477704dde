package audit

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tram/cmd/hub/hubtest"
	"tram/exchange"
	"tram/signing"
)

// verifyNames are the findings on one receipt.
func verifyNames(t *testing.T, stdout string) string {
	t.Helper()
	var r struct{ Receipts []json.RawMessage }
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || len(r.Receipts) != 1 {
		t.Fatalf("%v in %s", err, stdout)
	}
	return names(t, string(r.Receipts[0]))
}

// resealed is a receipt with something changed in it and a new seal.
func resealed(t *testing.T, raw []byte, by *signing.Sealer, changes ...string) []byte {
	t.Helper()
	begin, end := bytes.LastIndex(raw, []byte("<ds:Signature ")), bytes.LastIndex(raw, []byte("</ds:Signature>"))
	plain := append(bytes.Clone(raw[:begin]), raw[end+len("</ds:Signature>"):]...)
	for i := 0; i < len(changes); i += 2 {
		changed := bytes.ReplaceAll(plain, []byte(changes[i]), []byte(changes[i+1]))
		if bytes.Equal(changed, plain) {
			t.Fatalf("there is no %q to change", changes[i])
		}
		plain = changed
	}
	r, _, _, err := exchange.ParseReceipt(raw)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := by.Seal(plain, r.Time)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestVerify(t *testing.T) {
	hub := hubtest.New(t)
	c := correspond(t, hub, 2)
	forger := hubtest.NewKey(t, "Test hub", hub.Roots) // the same name as the hub's
	forged, err := signing.NewSealer(forger.Signer, []*x509.Certificate{forger.Certificate})
	if err != nil {
		t.Fatal(err)
	}
	handover, acceptance := c.of(t, exchange.ContentHandover)[0], c.of(t, exchange.SubmissionAcceptance)
	otherProof := readFile(t, strings.TrimSuffix(acceptance[1], ".xml")+proofSuffix)
	_, evidence, _, err := exchange.ParseReceipt(readFile(t, handover))
	if err != nil {
		t.Fatal(err)
	}
	answer := base64.StdEncoding.EncodeToString(evidence.Acknowledgement)
	refusal := c.of(t, exchange.ConsignmentRejection)[0]
	_, other, _, err := exchange.ParseReceipt(readFile(t, refusal))
	if err != nil {
		t.Fatal(err)
	}
	otherAnswer := base64.StdEncoding.EncodeToString(other.Acknowledgement)
	ackDigest := func(e exchange.Evidence) string { return exchange.DigestOf(e.Acknowledgement).String() }

	same := func(b []byte) []byte { return b }
	for _, c := range []struct {
		name           string
		file           string
		receipt, proof func([]byte) []byte
		want           string
	}{
		{"an acceptance as it is", acceptance[0], same, same, ""},
		{"a handover as it is", handover, same, same, ""},
		{"a refusal as it is", refusal, same, same, ""},
		{"a byte changed", acceptance[0], func(b []byte) []byte { return bytes.Replace(b, []byte("H12.12"), []byte("H12.13"), 1) }, same, "seal-broken"},
		{"cut short", acceptance[0], func(b []byte) []byte { return b[:len(b)/2] }, same, "seal-broken"},
		{"not a receipt", acceptance[0], func([]byte) []byte { return evidence.Acknowledgement }, same, "seal-broken"},
		{"sealed again by a forger", acceptance[0], func(b []byte) []byte { return resealed(t, b, forged, "H12.12", "H12.13") }, same, "seal-unknown proof-broken"},
		{"changed and sealed again by the hub itself", acceptance[0], func(b []byte) []byte { return resealed(t, b, hub.Sealer, "H12.12", "H12.13") }, same, "proof-broken"},
		{"dated back by the hub itself", acceptance[0], func(b []byte) []byte { return resealed(t, b, hub.Sealer, "<erds:EventTime>20", "<erds:EventTime>19") }, same, "proof-broken"},
		{"with the proof of another", acceptance[0], same, func([]byte) []byte { return otherProof }, "proof-broken"},
		{"with a proof whose checkpoint was changed", acceptance[0], same, func(b []byte) []byte { return bytes.Replace(b, []byte("hub.test/log\n"), []byte("hub.test/lag\n"), 1) }, "proof-broken"},
		{"without a proof", acceptance[0], same, func([]byte) []byte { return nil }, "proof-missing"},
		{"with the recipient's answer changed by the hub", handover, func(b []byte) []byte {
			changed := bytes.Replace(evidence.Acknowledgement, []byte("accepted"), []byte("refused_"), 1)
			return resealed(t, b, hub.Sealer, answer, base64.StdEncoding.EncodeToString(changed), ackDigest(evidence), exchange.DigestOf(changed).String())
		}, same, "proof-broken acknowledgement-broken"},
		{"with the recipient's answer to another package", handover, func(b []byte) []byte {
			return resealed(t, b, hub.Sealer, answer, otherAnswer, ackDigest(evidence), ackDigest(other))
		}, same, "proof-broken acknowledgement-differs"},
		{"a refusal made into a handover by the hub", refusal, func(b []byte) []byte {
			return resealed(t, b, hub.Sealer, "Event/ConsignmentRejection", "Event/ContentHandover")
		}, same, "proof-broken acknowledgement-differs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "r.xml"), c.receipt(readFile(t, c.file)))
			if proof := c.proof(readFile(t, strings.TrimSuffix(c.file, ".xml")+proofSuffix)); proof != nil {
				hubtest.WriteFile(t, strings.TrimSuffix(file, ".xml")+proofSuffix, proof)
			}
			code, stdout, stderr := audit(t, "verify", "--keys", hub.KeysFile(t), "--json", file)
			if got := verifyNames(t, stdout); got != c.want || (code == 0) != (c.want == "") {
				t.Errorf("exits with %d, finds %q, want %q\n%s%s", code, got, c.want, stdout, stderr)
			}
			explainsWhatWasFound(t, hub.KeysFile(t), file, c.want)
		})
	}
}

// explainsWhatWasFound holds explain to what verify finds in a receipt. What is not
// there it does not miss.
func explainsWhatWasFound(t *testing.T, keys, file, found string) {
	t.Helper()
	_, stdout, stderr := audit(t, "explain", "--keys", keys, "--json", file)
	var e explanation
	if err := json.Unmarshal([]byte(stdout), &e); err != nil {
		t.Fatalf("%v in %s%s", err, stdout, stderr)
	}
	if e.Kind != "receipt" {
		return
	}
	if e.OK != (found == "" || found == proofMissing) {
		t.Errorf("explain says %v where verify finds %q: %s", e.OK, found, stdout)
	}
	for name := range strings.FieldsSeq(found) {
		named := slices.ContainsFunc(e.Steps, func(s stepOut) bool { return s.Rule == name && s.Text != "" })
		if name != sealBroken && name != proofMissing && !named {
			t.Errorf("explain does not show %s: %s", name, stdout)
		}
	}
}

func TestVerifyCompares(t *testing.T) {
	hub := hubtest.New(t)
	c := correspond(t, hub, 1)
	keys, file := hub.KeysFile(t), c.of(t, exchange.SubmissionAcceptance)[0]
	refusal := c.of(t, exchange.ConsignmentRejection)[0]
	var signed []byte
	for _, signed = range c.packages {
	}
	pkg := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "p.edxml"), signed)

	code, stdout, _ := audit(t, "verify", "--keys", keys, "--package", pkg, file)
	if code != 0 || !strings.Contains(stdout, "byte for byte") {
		t.Errorf("exits with %d: %s", code, stdout)
	}
	hubtest.WriteFile(t, pkg, append(signed, '\n'))
	code, stdout, _ = audit(t, "verify", "--keys", keys, "--package", pkg, "--json", file)
	if code != 1 || verifyNames(t, stdout) != "package-differs" {
		t.Errorf("exits with %d: %s", code, stdout)
	}
	answer := filepath.Join(t.TempDir(), "answer.xml")
	code, stdout, _ = audit(t, "verify", "--keys", keys, "--acknowledgement", answer, refusal)
	if code != 0 || !strings.Contains(stdout, "refused, gửi nhầm") {
		t.Errorf("exits with %d: %s", code, stdout)
	}
	f, err := os.Open(answer)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if a, _, err := exchange.ParseAcknowledgement(f); err != nil || a.Outcome != exchange.AnswerRefused {
		t.Errorf("the answer taken out is %+v, %v", a, err)
	}
	if code, _, _ = audit(t, "verify", "--keys", keys, "--acknowledgement", answer, refusal); code != 2 {
		t.Errorf("written over what is there: exits with %d", code)
	}
	if code, _, _ = audit(t, "verify", "--keys", keys, "--acknowledgement", answer+"2", file); code != 2 {
		t.Errorf("took an answer out of an acceptance: exits with %d", code)
	}

	// The seal alone, and the seal's own chain.
	if err := os.Remove(strings.TrimSuffix(file, ".xml") + proofSuffix); err != nil {
		t.Fatal(err)
	}
	if code, stdout, _ = audit(t, "verify", "--keys", keys, "--seal-only", file); code != 0 || strings.Contains(stdout, "In the log") {
		t.Errorf("exits with %d: %s", code, stdout)
	}
	strangers := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "roots.pem"), []byte(hubtest.NewKey(t, "Other authority", nil).PEM()))
	code, stdout, _ = audit(t, "verify", "--keys", keys, "--seal-only", "--trust", strangers, "--json", file)
	if code != 1 || verifyNames(t, stdout) != "seal-untrusted" {
		t.Errorf("exits with %d: %s", code, stdout)
	}
}

func TestVerifyExplains(t *testing.T) {
	hub := hubtest.New(t)
	c := correspond(t, hub, 2)
	_, stdout, stderr := audit(t, "verify", "--keys", hub.KeysFile(t), c.of(t, exchange.ContentHandover)[0])
	for _, want := range []string{": holds", "ContentHandover: the recipient has the package and accepted it", "Trục thử (hub.test)",
		"A (H12.07)", "B (H12.12)", "an XML signature by CN=Agency B", "hub.test/log, leaf ", "UTC+7"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("does not say %q:\n%s%s", want, stdout, stderr)
		}
	}
	if strings.Contains(stdout, "\x1b[") {
		t.Error("colours where there is no terminal")
	}
}

// TestVerifyHoldsSealsToTheirTerms: a key that was ended, or has not begun, seals
// nothing, though it is the hub's.
func TestVerifyHoldsSealsToTheirTerms(t *testing.T) {
	hub := hubtest.New(t)
	file := correspond(t, hub, 1).of(t, exchange.SubmissionAcceptance)[0]
	receipt, _, _, err := exchange.ParseReceipt(readFile(t, file))
	if err != nil {
		t.Fatal(err)
	}
	seal := exchange.DigestOf(hub.Sealer.Certificate().Raw)
	at := receipt.Time
	for _, c := range []struct {
		name  string
		terms []exchange.SealTerm
		want  string
	}{
		{"no terms published", nil, ""},
		{"another's term", []exchange.SealTerm{{Certificate: exchange.Digest{1}, Until: at.Add(-time.Hour)}}, ""},
		{"open at both ends", []exchange.SealTerm{{Certificate: seal}}, ""},
		{"in its first moment", []exchange.SealTerm{{Certificate: seal, From: at}}, ""},
		{"before it begins", []exchange.SealTerm{{Certificate: seal, From: at.Add(time.Millisecond)}}, "seal-out-of-term"},
		{"in its last moment", []exchange.SealTerm{{Certificate: seal, Until: at.Add(time.Millisecond)}}, ""},
		{"at its end", []exchange.SealTerm{{Certificate: seal, Until: at}}, "seal-out-of-term"},
		{"in its second term", []exchange.SealTerm{{Certificate: seal, Until: at.Add(-time.Hour)}, {Certificate: seal, From: at.Add(-time.Minute)}}, ""},
		{"between its terms", []exchange.SealTerm{{Certificate: seal, Until: at.Add(-time.Hour)}, {Certificate: seal, From: at.Add(time.Minute)}}, "seal-out-of-term"},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys := hub.Keys
			keys.Sealing, keys.Terms = hub.Exchange.Keys().Sealing, c.terms
			b, err := json.Marshal(keys)
			if err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := audit(t, "verify", "--keys", hubtest.WriteFile(t, filepath.Join(t.TempDir(), "keys.json"), b), "--json", file)
			if got := verifyNames(t, stdout); got != c.want || (code == 0) != (c.want == "") {
				t.Errorf("exits with %d, finds %q, want %q\n%s%s", code, got, c.want, stdout, stderr)
			}
		})
	}
}

// TestFollowNotesNewSeals: what the hub publishes of its seals is no fault, and is
// for somebody to look at.
func TestFollowNotesNewSeals(t *testing.T) {
	hub := hubtest.New(t)
	evil := newEvilHub(t, hub.Keys, hub.Log)
	evil.show(t, invented(3, "a"))
	dir := filepath.Join(t.TempDir(), "mirror")
	look := func(want string) {
		t.Helper()
		code, stdout, stderr := audit(t, "follow", evil.url, "--dir", dir, "--once")
		if code != 0 || (want == "") == strings.Contains(stdout, "note:") || !strings.Contains(stdout, want) {
			t.Errorf("exits with %d, want %q\n%s%s", code, want, stdout, stderr)
		}
	}
	known := exchange.DigestOf(hub.Sealer.Certificate().Raw)
	evil.keys.Terms = []exchange.SealTerm{{Certificate: known, Until: time.Now().Add(-2 * time.Hour)}}
	look("")
	next := hubtest.NewKey(t, "Next", nil)
	evil.keys.Sealing = append(evil.keys.Sealing, next.PEM())
	look(exchange.DigestOf(next.Certificate.Raw).String())
	evil.keys.Sealing = evil.keys.Sealing[:1]
	evil.keys.Terms = []exchange.SealTerm{{Certificate: known, Until: time.Now().Add(time.Hour)}}
	look("says now: until")
}
