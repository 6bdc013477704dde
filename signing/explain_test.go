package signing

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stepsOf explains a document as a hub would read it.
func stepsOf(t *testing.T, document string) ([]Step, error) {
	t.Helper()
	o := inHeader()
	o.Part = partByID
	var steps []Step
	_, err := Explain(strings.NewReader(document), o, func(s Step) { steps = append(steps, s) })
	return steps, err
}

// TestExplainAgreesWithRead: for every document of the catalogue, some step fails
// exactly if Read refuses, and one of them by the rule and at the line of Read.
func TestExplainAgreesWithRead(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectors, "*.xml"))
	if err != nil || len(files) < 100 {
		t.Fatal("where are the vectors?", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			document, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			explainedAsRead(t, string(document))
		})
	}
}

func explainedAsRead(t *testing.T, document string) {
	t.Helper()
	steps, err := stepsOf(t, document)
	failed := slices.DeleteFunc(slices.Clone(steps), func(s Step) bool { return s.Err == nil })
	for _, s := range steps {
		if s.Name == StepReference && s.Err == nil && !s.Skipped && fact(s, FactComputed) == "" {
			t.Fatalf("a reference is said to hold, and its digest was not made: %+v", s)
		}
	}
	if err == nil && len(failed) > 0 {
		t.Fatalf("Read accepts, the steps fail: %+v", failed)
	}
	if err == nil {
		return
	}
	if !slices.ContainsFunc(failed, func(s Step) bool { return s.Err.Error() == err.Error() }) {
		t.Fatalf("Read says %v, no step does: %+v", err, failed)
	}
}

// TestExplainShowsTheDigestInside: what an RSA key signed tells another SignedInfo
// from another key.
func TestExplainShowsTheDigestInside(t *testing.T) {
	for file, want := range map[string]bool{
		"signature-of-another-document":        true,
		"signed-digest-changed":                true,
		"right-certificate-other-key":          false,
		"rsa-pss-under-the-name-of-pkcs-1":     false,
		"signature-of-another-length":          false,
		"ed25519-with-the-order-added":         false,
		"xades-nicer-properties-in-front":      false, // the value holds
		"the-other-root-of-an-ecdsa-signature": false,
	} {
		document, err := os.ReadFile(filepath.Join(vectors, file+".xml"))
		if err != nil {
			t.Fatal(err)
		}
		steps, _ := stepsOf(t, string(document)) // the refusal is not what is asked
		i := slices.IndexFunc(steps, func(s Step) bool { return s.Name == StepSignatureValue })
		stated, computed := fact(steps[i], FactStated), fact(steps[i], FactComputed)
		if (stated != "") != want || (computed != "") != want || want && stated == computed {
			t.Errorf("%s: inside is %q, of SignedInfo %q", file, stated, computed)
		}
	}
}

// TestExplainAgreesOnChangedDocuments: whatever is wrong with a document, what is
// explained is what refused it.
func TestExplainAgreesOnChangedDocuments(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 8))
	for _, name := range []string{"rsa-sha256.xml", "xades-b-b.xml", "attachment-by-cid.xml", "inclusive-canonicalization-throughout.xml"} {
		original, err := os.ReadFile(filepath.Join(vectors, name))
		if err != nil {
			t.Fatal(err)
		}
		for range 500 {
			changed := slices.Clone(original)
			switch at := g.IntN(len(changed)); g.IntN(4) {
			case 0:
				changed[at] ^= 1 << g.IntN(7)
			case 1:
				changed = slices.Delete(changed, at, min(at+1+g.IntN(40), len(changed)))
			case 2:
				changed = slices.Insert(changed, at, []byte("<x/>")...)
			case 3:
				changed = changed[:at]
			}
			explainedAsRead(t, string(changed))
		}
	}
}

// fact is the first value that a step has under a name.
func fact(s Step, name string) string {
	for _, f := range s.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// TestExplainGoesOn: one refused thing hides no other.
func TestExplainGoesOn(t *testing.T) {
	document := sign(t, pkg(pdf), form{method: algRSASHA1})
	document = replace(t, document, "H12.07", "H12.08")
	steps, err := stepsOf(t, document)
	if outcome(err) != string(SHA1) {
		t.Fatal(err)
	}
	byName := map[StepName]Step{}
	for _, s := range steps {
		byName[s.Name] = s
	}
	method, reference, certificate := byName[StepSignatureMethod], byName[StepReference], byName[StepCertificate]
	if fact(method, FactAlgorithm) != algRSASHA1 || fact(method, FactAccepted) == "" || fact(method, FactAccepted) == algRSASHA1 {
		t.Errorf("of the method it says %+v", method)
	}
	if stated, computed := fact(reference, FactStated), fact(reference, FactComputed); stated == computed || len(stated) != 44 || len(computed) != 44 {
		t.Errorf("of the digests it says %+v", reference)
	}
	if outcome(reference.Err) != string(DigestMismatch) {
		t.Errorf("the reference: %v", reference.Err)
	}
	if certificate.Err != nil || len(certificate.Certificates) != 1 || fact(certificate, FactKey) != "RSA 2048" ||
		fact(certificate, FactKeyUsage) != "digitalSignature, nonRepudiation" {
		t.Errorf("of the certificate it says %+v", certificate)
	}
	if !byName[StepSignatureValue].Skipped || byName[StepSignatureValue].Err != nil {
		t.Errorf("the value was judged under a method that is refused: %+v", byName[StepSignatureValue])
	}
	if reference.Line == 0 || !strings.HasSuffix(reference.Path, "/Signature/SignedInfo/Reference") {
		t.Errorf("the reference is at %s, line %d", reference.Path, reference.Line)
	}
}

// TestExplainDigestsTwice: the digests of a second reading are told, too.
func TestExplainDigestsTwice(t *testing.T) {
	document, err := os.ReadFile(filepath.Join(vectors, "attachment-of-another-digest.xml"))
	if err != nil {
		t.Fatal(err)
	}
	steps, _ := stepsOf(t, string(document))
	i := slices.IndexFunc(steps, func(s Step) bool { return s.Name == StepReference && fact(s, FactComputedText) != "" })
	if i < 0 || outcome(steps[i].Err) != string(DigestMismatch) || fact(steps[i], FactComputed) == fact(steps[i], FactStated) ||
		!strings.Contains(fact(steps[i], FactCovers), "/Attachment/ContentTransferEncoded") {
		t.Errorf("%+v", steps)
	}
}
