package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tram/signing/pdftest"
)

// official signs the tests' PDF files: below an authority that is trusted.
type official struct {
	key   crypto.Signer
	cert  *x509.Certificate
	root  *x509.Certificate
	issue func(public crypto.PublicKey, name string, alter func(*x509.Certificate)) *x509.Certificate
}

// officialOf has a key of the vectors, the same in every process that fuzzes.
func officialOf(t testing.TB) official {
	t.Helper()
	p, ca := signer(t, "agency-rsa"), signer(t, "ca")
	o := official{key: p.key, cert: p.cert, root: ca.cert}
	o.issue = func(public crypto.PublicKey, name string, alter func(*x509.Certificate)) *x509.Certificate {
		return certificateFor(public, name, ca.cert, ca.key, func(c *x509.Certificate) {
			c.KeyUsage = x509.KeyUsageContentCommitment
			if alter != nil {
				alter(c)
			}
		})
	}
	return o
}

// rsaOfficial has an RSA key, and is in force now.
func rsaOfficial(t testing.TB) official {
	t.Helper()
	o := officialOf(t)
	o.cert = o.issue(o.key.Public(), "Trần Thị B", func(c *x509.Certificate) {
		c.KeyUsage, c.SubjectKeyId = x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment, []byte{1, 2, 3}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
	})
	return o
}

func (o official) signer() pdftest.Signer {
	return pdftest.Signer{Key: o.key, Cert: o.cert, Time: stampedAt}
}

// pdfFindings verifies a file that is written in pieces of a size.
func pdfFindings(t testing.TB, file []byte, piece int, trust *Trust) []PDFSignature {
	t.Helper()
	return verifyPDF(t, file, piece, trust).Signatures()
}

func verifyPDF(t testing.TB, file []byte, piece int, trust *Trust) *PDF {
	t.Helper()
	s := &PDFRanges{}
	pieces(file, piece, s.Write)
	p := NewPDF(int64(len(file)), s.Found(), MaxPDFSignatures, trust, stampedAt)
	for readings := 0; p.Next(); readings++ {
		if readings == 3 {
			t.Fatal("it asks for a fourth reading")
		}
		pieces(file, piece, p.Write)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func pieces(b []byte, size int, write func([]byte) (int, error)) {
	for piece := range slices.Chunk(b, size) {
		_, _ = write(bytes.Clone(piece)) // kept by nobody: a clone shows it
	}
}

// told are findings on one line.
func told(list []PDFSignature) string {
	var all []string
	for _, s := range list {
		one := string(s.State)
		for _, more := range []struct {
			is   bool
			word string
		}{{s.Why != "", " " + s.Why}, {s.TimeStamp, " time-stamp"}, {s.Stamped, " stamped"}, {s.Whole, " whole"}} {
			if more.is {
				one += more.word
			}
		}
		all = append(all, one)
	}
	return strings.Join(all, "; ")
}

// pdfCase is a file and what is told of its signatures.
type pdfCase struct {
	name string
	file []byte
	want string
}

func pdfCases(t testing.TB) []pdfCase {
	o := officialOf(t)
	plain := pdftest.Document("Cong van", 3000)
	with := func(change func(*pdftest.Signer), f pdftest.Form) []byte {
		s := o.signer()
		change(&s)
		if f.CMS == nil {
			f.CMS = s.CMS
		}
		return pdftest.Sign(plain, f)
	}
	as := func(change func(*pdftest.Signer)) []byte { return with(change, pdftest.Form{}) }
	in := func(f pdftest.Form) []byte { return with(func(*pdftest.Signer) {}, f) }
	good := in(pdftest.Form{})
	changed := func(old, new string) []byte {
		if !bytes.Contains(good, []byte(old)) {
			t.Fatalf("there is no %q", old)
		}
		return bytes.Replace(good, []byte(old), []byte(new), 1)
	}
	twice := func(first []byte, f pdftest.Form) []byte {
		f.CMS = o.signer().CMS
		return pdftest.Sign(first, f)
	}
	keyRSA := signer(t, "agency-rsa").key
	short := o.issue(newShortRSA(t).Public(), "short", nil)
	other := o.issue(testKey().Public(), "other", nil)
	alone := certificateFor(o.key.Public(), "Chủ tịch", nil, o.key, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
	expired := o.issue(o.key.Public(), "expired", func(c *x509.Certificate) { c.NotAfter = stampedAt.AddDate(0, 0, -10) })
	rsaSigner := func(h crypto.Hash, pss bool) func(*pdftest.Signer) {
		return func(s *pdftest.Signer) {
			s.Key, s.Cert, s.Hash, s.PSS = keyRSA, o.issue(keyRSA.Public(), "RSA", nil), h, pss
		}
	}
	stamped := stamperOf()
	token := func(data []byte) []byte { return stamped.newToken(data).write() }
	docStamp := pdftest.Form{SubFilter: "ETSI.RFC3161", CMS: token}
	gap := bytes.Index(good, []byte("/Contents <")) + len("/Contents ")
	noted := func(text string, n int) []byte {
		return append(bytes.Clone(plain), []byte(strings.Repeat(text, n))...)
	}
	return []pdfCase{
		{"no signature", plain, ""},
		{"signed", good, "valid whole"},
		{"CAdES", with(func(s *pdftest.Signer) { s.Certified, s.Time = o.cert, time.Time{} }, pdftest.Form{SubFilter: "ETSI.CAdES.detached"}), "valid whole"},
		{"RSA", as(rsaSigner(crypto.SHA256, false)), "valid whole"},
		{"RSA with SHA-384", as(rsaSigner(crypto.SHA384, false)), "valid whole"},
		{"RSA-PSS with SHA-512", as(rsaSigner(crypto.SHA512, true)), "valid whole"},
		{"attributes in another order", as(func(s *pdftest.Signer) { s.Unsorted = true }), "valid whole"},
		{"other certificates in the bag", as(func(s *pdftest.Signer) { s.Bag = []*x509.Certificate{other, o.root, o.cert} }), "valid whole"},
		{"Contents before the range", in(pdftest.Form{Layout: "<</Contents %[2]s/M(D:20261125080000Z)/ByteRange%% a note\n%[1]s/SubFilter/adbe.pkcs7.detached/Type/Sig>>"}), "valid whole"},
		{"every token on a line of its own", in(pdftest.Form{Layout: "<<\n/Type\n/Sig\n/SubFilter %% which\r/adbe.pkcs7.detached\n/ByteRange\r\n%s\n/Contents\n%s\n>>"}), "valid whole"},
		{"CMS of indefinite length", in(pdftest.Form{CMS: func(b []byte) []byte { return indefinite(o.signer().CMS(b)) }}), "valid whole"},
		{"little room", in(pdftest.Form{Room: 1500}), "valid whole"},
		{"thirty bytes put in, with the name in them", append(append([]byte("%PDF-1.7\n% /ByteRange [0 1 2 3\n"), 0), good[9:]...), "invalid contents"},

		{"two signatures", twice(good, pdftest.Form{}), "valid; valid whole"},
		{"a second one, of another digest", pdftest.Sign(good, pdftest.Form{CMS: func(b []byte) []byte {
			s := o.signer()
			s.Hash = crypto.SHA512
			return s.CMS(b)
		}}), "valid; valid whole"},
		{"an update behind it", append(bytes.Clone(good), "5 0 obj\nnull\nendobj\n"...), "valid"},
		{"a document time-stamp behind it", pdftest.Sign(good, docStamp), "valid; untrusted timestamp-untrusted time-stamp stamped whole"},
		{"a document time-stamp alone", pdftest.Sign(plain, docStamp), "untrusted timestamp-untrusted time-stamp stamped whole"},
		{"a document time-stamp over something else", pdftest.Sign(plain, pdftest.Form{SubFilter: "ETSI.RFC3161", CMS: func([]byte) []byte { return token([]byte("x")) }}), "invalid digest-mismatch time-stamp whole"},

		{"a byte of the text changed", changed("Cong van", "Cong vam"), "invalid digest-mismatch whole"},
		{"a byte behind the gap changed", changed("/Rect [0 0 0 0]", "/Rect [0 0 0 1]"), "invalid digest-mismatch whole"},
		{"the gap widened to the left", in(pdftest.Form{Shift: [4]int64{0, -20, 0, 0}}), "invalid contents whole"},
		{"the gap widened to the right", in(pdftest.Form{Shift: [4]int64{0, 0, 1, -1}}), "invalid contents whole"},
		{"a range that begins later", in(pdftest.Form{Shift: [4]int64{1, -1, 0, 0}}), "invalid byte-range"},
		{"a range beyond the file", in(pdftest.Form{Shift: [4]int64{0, 0, 0, 1}}), "invalid byte-range"},
		{"a range that ends before the file", in(pdftest.Form{Shift: [4]int64{0, 0, 0, -7}}), "valid"},
		{"a file cut short", good[:len(good)-10], "invalid byte-range"},
		{"a range without a gap", in(pdftest.Form{Shift: [4]int64{0, 0, -16386, 16386}}), "invalid byte-range"},
		{"garbage behind the signature", in(pdftest.Form{Pad: []byte("x")}), "invalid contents whole"},
		{"garbage instead of it", in(pdftest.Form{CMS: func([]byte) []byte { return []byte("no CMS") }}), "unsupported cms whole"},
		{"a letter in the hexadecimal string", slices.Concat(good[:gap+9], []byte("g"), good[gap+10:]), "invalid contents whole"},
		{"another string's gap", changed("/Contents <", "/Contentz <"), "invalid contents whole"},
		{"BER that has no end", in(pdftest.Form{CMS: func([]byte) []byte { return bytes.Repeat([]byte{0x30, 0x80}, 4000) }}), "invalid contents whole"},
		{"BER with nothing in it", in(pdftest.Form{CMS: func([]byte) []byte { return []byte{0x30, 0x80, 0, 0} }}), "unsupported cms whole"},
		{"a wrong digest in the attributes", as(func(s *pdftest.Signer) { s.Digest = make([]byte, 32) }), "invalid digest-mismatch whole"},
		{"no signed attributes", as(func(s *pdftest.Signer) { s.Bare = true }), "unsupported no-signed-attributes whole"},
		{"the content inside", as(func(s *pdftest.Signer) { s.Encapsulated = []byte("x") }), "unsupported cms whole"},
		{"another certificate in its place", as(func(s *pdftest.Signer) { s.Bag = []*x509.Certificate{other} }), "invalid certificate-missing whole"},
		{"another certificate, and named", as(func(s *pdftest.Signer) { s.Bag, s.Named = []*x509.Certificate{other}, other }), "invalid signature-mismatch whole"},
		{"another certificate than the signed one", as(func(s *pdftest.Signer) { s.Certified = other }), "invalid certificate-missing whole"},
		{"a certificate of nobody's", as(func(s *pdftest.Signer) { s.Cert = alone }), "untrusted untrusted-chain whole"},
		{"an expired certificate", as(func(s *pdftest.Signer) { s.Cert = expired }), "untrusted certificate-expired whole"},
		{"an expired certificate, signed before", as(func(s *pdftest.Signer) { s.Cert, s.Time = expired, stampedAt.AddDate(0, 0, -20) }), "valid whole"},
		{"a time to come", as(func(s *pdftest.Signer) { s.Time = stampedAt.AddDate(5, 0, 0) }), "valid whole"},
		{"SHA-1", as(rsaSigner(crypto.SHA1, false)), "weak sha1 whole"},
		{"SHA-224", as(rsaSigner(crypto.SHA224, false)), "unsupported algorithm-not-allowed whole"},
		{"a short key", as(func(s *pdftest.Signer) { s.Key, s.Cert = newShortRSA(t), short }), "weak weak-key whole"},
		{"adbe.pkcs7.sha1", in(pdftest.Form{SubFilter: "adbe.pkcs7.sha1"}), "unsupported sub-filter whole"},
		{"adbe.x509.rsa_sha1", in(pdftest.Form{SubFilter: "adbe.x509.rsa_sha1"}), "unsupported sub-filter whole"},
		{"a kind that nobody knows", in(pdftest.Form{SubFilter: "X.detached"}), "unsupported sub-filter whole"},
		{"Contents of a megabyte", in(pdftest.Form{Room: 1 << 20}), "unsupported too-large"},

		{"the range in a text far from its gap", noted("/ByteRange [0 10 20 30]\n", 1000)[:4000], ""},
		{"a range that is not filled in", noted("/ByteRange [0 /********** /********** /**********]", 1), ""},
		{"a range of zeros", []byte("%PDF-1.7\n/ByteRange [0 0 0 0]"), ""},
		{"the same range a thousand times behind it", append(bytes.Clone(good), strings.Repeat(string(rangeIn(good)), 1000)...), "valid"},
		{"a range over the same gap behind it", append(bytes.Clone(good), bytes.Replace(rangeIn(good), []byte("[0 "), []byte("[0 +"), 1)...), "valid"},
		{"thousands of ranges", append(bytes.Clone(good), manyRanges(good, 5000)...), "valid; unsupported too-many"},
	}
}

// indefinite writes the two outermost structures in indefinite length.
func indefinite(cms []byte) []byte {
	var info struct {
		Kind asn1.ObjectIdentifier
		Data asn1.RawValue
	}
	if _, err := asn1.Unmarshal(cms, &info); err != nil {
		panic(err)
	}
	return slices.Concat([]byte{0x30, 0x80}, marshal(info.Kind), []byte{0xA0, 0x80}, info.Data.Bytes, make([]byte, 4))
}

// rangeIn is the range of a signed file, as it is written.
func rangeIn(file []byte) []byte {
	file = file[bytes.LastIndex(file, byteRange):]
	return bytes.Clone(file[:bytes.IndexByte(file, ']')+1])
}

// manyRanges are different ranges behind a file, each near its gap.
func manyRanges(file []byte, n int) []byte {
	var b []byte
	for i := range n {
		at := len(file) + len(b)
		b = fmt.Appendf(b, "/ByteRange [0 %d %d %d]\n", at-10, at-5, i%3)
	}
	return b
}

var shortRSA = sync.OnceValues(newRSA(1024))

func newShortRSA(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := shortRSA()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestPDF(t *testing.T) {
	trust, err := NewTrust(only(officialOf(t).root), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range pdfCases(t) {
		t.Run(c.name, func(t *testing.T) {
			for _, piece := range []int{len(c.file), 1, 100, 6144} {
				found := pdfFindings(t, c.file, piece, trust)
				if got := told(found); got != c.want {
					t.Errorf("in pieces of %d: %s; want %s", piece, got, c.want)
				}
				for _, s := range found {
					if holds := s.State == PDFValid || s.State == PDFUntrusted && !s.TimeStamp; holds != (s.Signer != nil) {
						t.Errorf("%s, signer %v", s.State, s.Signer)
					}
				}
			}
		})
	}
}

// TestPDFTimes are those that a signature is told to have been made at.
func TestPDFTimes(t *testing.T) {
	o, tsa := officialOf(t), stamperOf()
	trust, err := NewTrust([]*x509.Certificate{o.root, tsa.root}, nil)
	if err != nil {
		t.Fatal(err)
	}
	expired := o.issue(o.key.Public(), "expired", func(c *x509.Certificate) { c.NotAfter = stampedAt.Add(time.Minute) })
	for _, test := range []struct {
		name   string
		change func(*pdftest.Signer)
		want   time.Time
		told   string
	}{
		{"the attribute", func(s *pdftest.Signer) { s.Time = stampedAt.Add(-time.Hour) }, stampedAt.Add(-time.Hour), "valid whole"},
		{"the dictionary", func(s *pdftest.Signer) { s.Time = time.Time{} }, time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), "valid whole"},
		{"a time-stamp", func(s *pdftest.Signer) {
			s.Time, s.Cert = stampedAt.Add(-time.Hour), expired
			s.Stamp = func(signature []byte) []byte { return tsa.newToken(signature).write() }
		}, stampedAt, "valid stamped whole"},
		{"a time-stamp over something else", func(s *pdftest.Signer) {
			s.Time = stampedAt.Add(-time.Hour)
			s.Stamp = func([]byte) []byte { return tsa.newToken([]byte("x")).write() }
		}, stampedAt.Add(-time.Hour), "valid whole"},
	} {
		s := o.signer()
		test.change(&s)
		found := pdfFindings(t, pdftest.Sign(pdftest.Document("x", 0), pdftest.Form{CMS: s.CMS}), 500, trust)
		if told(found) != test.told || !found[0].Time.Equal(test.want) {
			t.Errorf("%s: %s at %s, want %s at %s", test.name, told(found), found[0].Time, test.told, test.want)
		}
	}
}

// TestPDFInConstantMemory: what a file takes does not grow with it.
func TestPDFInConstantMemory(t *testing.T) {
	o := officialOf(t)
	trust, err := NewTrust(only(o.root), nil)
	if err != nil {
		t.Fatal(err)
	}
	file := pdftest.Sign(pdftest.Document("x", 64<<20), pdftest.Form{CMS: o.signer().CMS})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := &PDFRanges{}
	for piece := range slices.Chunk(file, 6144) {
		_, _ = s.Write(piece)
	}
	p := NewPDF(int64(len(file)), s.Found(), MaxPDFSignatures, trust, stampedAt)
	for p.Next() {
		for piece := range slices.Chunk(file, 6144) {
			_, _ = p.Write(piece)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if got := told(p.Signatures()); got != "valid whole" {
		t.Error(got)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("%d KiB for a file of 64 MiB", took>>10)
	}
}

// FuzzPDF changes files: no panic, the pieces in which they come do not matter, and
// what is valid covers what was signed: the fuzzer has no key.
func FuzzPDF(f *testing.F) {
	trust, err := NewTrust(only(officialOf(f).root), nil)
	if err != nil {
		f.Fatal(err)
	}
	signed := map[[sha256.Size]byte]bool{}
	valid := func(t testing.TB, file []byte) (covered [][sha256.Size]byte) {
		p := verifyPDF(t, file, 4096, trust)
		for _, s := range p.list {
			if s.State == PDFValid && !s.none {
				covered = append(covered, sha256.Sum256(pdftest.Covered(file, s.covers)))
			}
		}
		return covered
	}
	for _, c := range pdfCases(f) {
		if len(c.file) < 64<<10 {
			f.Add(c.file)
		}
		for _, sum := range valid(f, c.file) {
			signed[sum] = true
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if got, want := told(pdfFindings(t, file, 97, trust)), told(pdfFindings(t, file, 4096, trust)); got != want {
			t.Errorf("%s; in other pieces %s", want, got)
		}
		for _, sum := range valid(t, file) {
			if !signed[sum] {
				t.Error("valid, and nobody signed it")
			}
		}
	})
}

// BenchmarkPDF compares with SHA-256 of the file: looking for signatures where there
// are none, and verifying one.
func BenchmarkPDF(b *testing.B) {
	o := officialOf(b)
	trust, err := NewTrust(only(o.root), nil)
	if err != nil {
		b.Fatal(err)
	}
	plain := pdftest.Document("x", 1<<20)
	signed := pdftest.Sign(plain, pdftest.Form{CMS: o.signer().CMS})
	const piece = 6144
	pieces := func(b []byte, size int, write func([]byte) (int, error)) {
		for piece := range slices.Chunk(b, size) {
			_, _ = write(piece)
		}
	}
	b.Run("SHA-256", func(b *testing.B) {
		b.SetBytes(int64(len(signed)))
		for b.Loop() {
			h := sha256.New()
			pieces(signed, piece, h.Write)
		}
	})
	for _, c := range []struct {
		name string
		file []byte
	}{{"unsigned", plain}, {"signed", signed}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.file)))
			for b.Loop() {
				s := &PDFRanges{}
				pieces(c.file, piece, s.Write)
				p := NewPDF(int64(len(c.file)), s.Found(), MaxPDFSignatures, trust, stampedAt)
				for p.Next() {
					pieces(c.file, piece, p.Write)
					_ = p.Close() // it is whole
				}
				if len(p.Signatures()) != bytes.Count(c.file, byteRange) {
					b.Fatal("it is not found")
				}
			}
		})
	}
}
