package edxml

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"tram/exchange"
	"tram/signing"
)

// packed is a ZIP of one entry as archive/zip writes it, to be changed.
func packed(t testing.TB, h zip.FileHeader, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	addTo(t, z, h, content)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func addTo(t testing.TB, z *zip.Writer, h zip.FileHeader, content string) {
	t.Helper()
	w, err := z.CreateHeader(&h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
}

// raw is a ZIP with true numbers in its local header and no data descriptor.
func raw(t testing.TB, method uint16, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	var flat bytes.Buffer
	if method == zip.Store {
		flat.WriteString(content)
	} else {
		flat.Write(deflated(t, content))
	}
	w, err := z.CreateRaw(&zip.FileHeader{Name: "a.csv", Method: method, CRC32: crc(content),
		CompressedSize64: uint64(flat.Len()), UncompressedSize64: uint64(len(content))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(flat.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// at is where a signature stands in a ZIP.
func at(t testing.TB, z []byte, signature uint32) int {
	t.Helper()
	i := bytes.Index(z, binary.LittleEndian.AppendUint32(nil, signature))
	if i < 0 {
		t.Fatalf("no signature %08x in the ZIP", signature)
	}
	return i
}

// withByte changes one byte, counted from a signature.
func withByte(t testing.TB, z []byte, signature uint32, offset int, change func(byte) byte) []byte {
	t.Helper()
	z = bytes.Clone(z)
	i := at(t, z, signature) + offset
	z[i] = change(z[i])
	return z
}

func plus(n byte) func(byte) byte  { return func(b byte) byte { return b + n } }
func setTo(n byte) func(byte) byte { return func(byte) byte { return n } }

const csv = "So,Ten\n1,Cà Mau\n"

func named(name string) zip.FileHeader {
	return zip.FileHeader{Name: name, Method: zip.Deflate}
}

var zipRefusals = []struct {
	name string
	zip  func(t testing.TB) []byte
	rule exchange.Rule
}{
	{"an entry that climbs out of the folder", func(t testing.TB) []byte { return packed(t, named("../a.csv"), csv) }, ruleZipName},
	{"an absolute entry", func(t testing.TB) []byte { return packed(t, named("/etc/a.csv"), csv) }, ruleZipName},
	{"an entry with a backslash", func(t testing.TB) []byte { return packed(t, named(`..\a.csv`), csv) }, ruleZipName},
	{"an entry on a drive", func(t testing.TB) []byte { return packed(t, named("C:a.csv"), csv) }, ruleZipName},
	{"an entry named ..", func(t testing.TB) []byte { return packed(t, named(".."), csv) }, ruleZipName},
	{"an entry without a name", func(t testing.TB) []byte { return packed(t, named(""), csv) }, ruleZipName},
	{"an entry with a zero byte", func(t testing.TB) []byte { return packed(t, named("a.exe\x00.csv"), csv) }, ruleZipName},
	{"an entry that is not named in UTF-8", func(t testing.TB) []byte { return packed(t, named("C\xe0 Mau.csv"), csv) }, ruleZipName},
	{"an entry named as a device", func(t testing.TB) []byte { return packed(t, named("com1.csv"), csv) }, ruleZipName},
	{"an entry that ends in a dot", func(t testing.TB) []byte { return packed(t, named("a.exe."), csv) }, ruleZipName},
	{"an entry that shows in another direction", func(t testing.TB) []byte { return packed(t, named("a\u202ecsv.exe"), csv) }, ruleZipName},
	{"a folder", func(t testing.TB) []byte { return packed(t, named("a/"), "") }, ruleZipKind},
	{"a folder by its attributes", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipCentral, 38, setTo(dosFolder))
	}, ruleZipKind},
	{"a symbolic link", func(t testing.TB) []byte {
		h := named("a.csv")
		h.SetMode(0o777 | 1<<27) // fs.ModeSymlink
		return packed(t, h, "/etc/passwd")
	}, ruleZipKind},
	{"two entries", func(t testing.TB) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		addTo(t, z, named("a.csv"), csv)
		addTo(t, z, named("b.csv"), csv)
		_ = z.Close()
		return b.Bytes()
	}, ruleZipEntries},
	{"two entries in the directory, one in the file", func(t testing.TB) []byte {
		z := packed(t, named("a.csv"), csv)
		c, e := at(t, z, zipCentral), at(t, z, zipEnd)
		z = append(z[:e:e], append(bytes.Clone(z[c:e]), z[e:]...)...)
		return withByte(t, withByte(t, z, zipEnd, 8, setTo(2)), zipEnd, 10, setTo(2))
	}, ruleZipEntries},
	{"one entry that the end counts as two", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipEnd, 10, setTo(2))
	}, ruleZipEntries},
	{"no entry", func(t testing.TB) []byte { var b bytes.Buffer; _ = zip.NewWriter(&b).Close(); return b.Bytes() }, ruleZipEntries},
	{"an encrypted entry", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipLocal, 6, func(b byte) byte { return b | 1 })
	}, ruleZipEncrypted},
	{"an entry encrypted by the directory only", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipCentral, 8, func(b byte) byte { return b | 1 })
	}, ruleZipEncrypted},
	{"packed with bzip2", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipLocal, 8, setTo(12))
	}, ruleZipMethod},
	{"stored with a data descriptor", func(t testing.TB) []byte {
		return packed(t, zip.FileHeader{Name: "a.csv", Method: zip.Store}, csv)
	}, ruleZipMethod},
	{"Zip64 by its sizes", func(t testing.TB) []byte {
		z := packed(t, named("a.csv"), csv)
		for i := range 4 {
			z = withByte(t, z, zipLocal, 18+i, setTo(0xff))
		}
		return z
	}, ruleZip64},
	{"Zip64 by an extra field", func(t testing.TB) []byte {
		h := named("a.csv")
		h.Extra = []byte{1, 0, 0, 0}
		return packed(t, h, csv)
	}, ruleZip64},
	{"Zip64 by its end", func(t testing.TB) []byte {
		z := packed(t, named("a.csv"), csv)
		e := at(t, z, zipEnd)
		return append(binary.LittleEndian.AppendUint32(z[:e:e], zip64End), make([]byte, 52)...)
	}, ruleZip64},
	{"another name by an extra field", func(t testing.TB) []byte {
		h := named("a.csv")
		h.Extra = append([]byte{0x75, 0x70, 13, 0, 1, 0, 0, 0, 0}, "../a.csv"...)
		return packed(t, h, csv)
	}, ruleZipMismatch},
	{"extra fields that do not add up", func(t testing.TB) []byte {
		h := named("a.csv")
		h.Extra = []byte{9, 9, 9, 0}
		return packed(t, h, csv)
	}, ruleZipMismatch},
	{"another name in the directory", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipCentral, 46, setTo('b'))
	}, ruleZipMismatch},
	{"another character set in the directory", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipCentral, 9, func(b byte) byte { return b ^ 8 })
	}, ruleZipMismatch},
	{"another method in the directory", func(t testing.TB) []byte {
		return withByte(t, raw(t, zip.Deflate, csv), zipCentral, 10, setTo(0))
	}, ruleZipMismatch},
	{"another offset in the directory", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipCentral, 42, plus(1))
	}, ruleZipMismatch},
	{"another checksum in the directory", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipCentral, 16, plus(1))
	}, ruleZipMismatch},
	{"a lying checksum in the descriptor", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipDescriptor, 4, plus(1))
	}, ruleZipMismatch},
	{"a lying packed size in the descriptor", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipDescriptor, 8, plus(1))
	}, ruleZipMismatch},
	{"a lying size in the descriptor", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipDescriptor, 12, plus(1))
	}, ruleZipMismatch},
	{"a lying size in a header whose descriptor is true", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipLocal, 22, plus(1))
	}, ruleZipMismatch},
	{"a lying size in the header", func(t testing.TB) []byte {
		return withByte(t, raw(t, zip.Deflate, csv), zipLocal, 22, plus(1))
	}, ruleZipMismatch},
	{"a lying packed size in the header", func(t testing.TB) []byte {
		return withByte(t, raw(t, zip.Deflate, csv), zipLocal, 18, plus(1))
	}, ruleZipMismatch},
	{"a stored file whose two sizes differ", func(t testing.TB) []byte {
		return withByte(t, raw(t, zip.Store, csv), zipLocal, 22, plus(1))
	}, ruleZipMismatch},
	{"a directory elsewhere than the end says", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipEnd, 16, plus(1))
	}, ruleZipMismatch},
	{"several disks", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipEnd, 4, plus(1))
	}, ruleZipMismatch},
	{"damaged content", func(t testing.TB) []byte {
		return withByte(t, packed(t, named("a.csv"), csv), zipLocal, 35, setTo(0xff))
	}, ruleZipBroken},
	{"cut off in the header", func(t testing.TB) []byte { return packed(t, named("a.csv"), csv)[:20] }, ruleZipBroken},
	{"cut off in the content", func(t testing.TB) []byte { return packed(t, named("a.csv"), csv)[:40] }, ruleZipBroken},
	{"stored and cut off in the content", func(t testing.TB) []byte { return raw(t, zip.Store, csv)[:40] }, ruleZipBroken},
	{"cut off before the directory", func(t testing.TB) []byte {
		z := packed(t, named("a.csv"), csv)
		return z[:at(t, z, zipCentral)]
	}, ruleZipBroken},
	{"cut off by the last byte", func(t testing.TB) []byte { z := packed(t, named("a.csv"), csv); return z[:len(z)-1] }, ruleZipBroken},
	{"bytes between the content and the directory", func(t testing.TB) []byte {
		z := packed(t, named("a.csv"), csv)
		c := at(t, z, zipCentral)
		return append(append(z[:c:c], "hide"...), z[c:]...)
	}, ruleZipBroken},
	{"bytes between the directory and the end", func(t testing.TB) []byte {
		z := packed(t, named("a.csv"), csv)
		e := at(t, z, zipEnd)
		return append(append(z[:e:e], "hide"...), z[e:]...)
	}, ruleZipBroken},
	{"bytes before the ZIP", func(t testing.TB) []byte { return append([]byte("MZ"), packed(t, named("a.csv"), csv)...) }, ruleZipNot},
	{"no ZIP", func(t testing.TB) []byte { return []byte("%PDF-1.4") }, ruleZipNot},
	{"three bytes", func(t testing.TB) []byte { return []byte("PK\x03") }, ruleZipNot},
	{"bytes after the ZIP", func(t testing.TB) []byte { return append(packed(t, named("a.csv"), csv), 0) }, ruleZipTrailing},
	{"a comment on the entry", func(t testing.TB) []byte {
		h := named("a.csv")
		h.Comment = "hi"
		return packed(t, h, csv)
	}, ruleZipTrailing},
	{"a comment", func(t testing.TB) []byte {
		return append(withByte(t, packed(t, named("a.csv"), csv), zipEnd, 20, setTo(2)), "hi"...)
	}, ruleZipTrailing},
	{"a bomb", func(t testing.TB) []byte { return packed(t, named("a.csv"), strings.Repeat("0", 1<<20+1)) }, ruleZipTooLarge},
}

// around is a package whose attachment, named Danh sách.csv, has this content.
func around(t testing.TB, content []byte) string {
	t.Helper()
	s := sample(t, "replace", "<ContentType>application/pdf", "<ContentType>application/zip",
		"<AttachmentName>CV_1268_STC.pdf", "<AttachmentName>Danh sách.csv")
	before, rest, _ := strings.Cut(s, "<ContentTransferEncoded>")
	_, after, _ := strings.Cut(rest, "</ContentTransferEncoded>")
	return before + "<ContentTransferEncoded>" + base64.StdEncoding.EncodeToString(content) + "</ContentTransferEncoded>" + after
}

func TestZipRefusals(t *testing.T) {
	for _, test := range zipRefusals {
		t.Run(test.name, func(t *testing.T) {
			_, err := decode(New(Options{Unpacked: 1 << 20}), strings.NewReader(around(t, test.zip(t))))
			e := refusalOf(t, err)
			if e.Rule.Name != test.rule.Name || e.Path != inFiles+"/Attachment/ContentTransferEncoded" || e.Line != 104 {
				t.Errorf("refused by %v, want %s on line 104", e, test.rule.Name)
			}
			if text := e.Text("vi"); !strings.Contains(text, "Danh sách.csv") || strings.Contains(text, "%!") {
				t.Errorf("the words do not name the file: %s", text)
			}
		})
	}
}

func TestZipsTaken(t *testing.T) {
	unix := named("a.csv")
	unix.SetMode(0o644)
	dated := named("Cà Mau.csv")
	dated.Modified = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	tests := []struct {
		name, content string
		zip           []byte
	}{
		{"with a data descriptor", csv, packed(t, named("a.csv"), csv)},
		{"with a data descriptor without signature", csv, func() []byte {
			z := packed(t, named("a.csv"), csv)
			d, c := at(t, z, zipDescriptor), at(t, z, zipCentral)
			z = append(z[:d:d], z[d+4:]...)
			return withByte(t, z, zipEnd, 16, setTo(byte(c-4)))
		}()},
		{"with numbers in the header", csv, raw(t, zip.Deflate, csv)},
		{"stored", csv, raw(t, zip.Store, csv)},
		{"with a Unix mode", csv, packed(t, unix, csv)},
		{"with a time and a Vietnamese name", csv, packed(t, dated, csv)},
		{"of an empty file", "", packed(t, named("a.csv"), "")},
		{"at the limit", strings.Repeat("0", 1<<20), packed(t, named("a.csv"), strings.Repeat("0", 1<<20))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := decode(New(Options{Unpacked: 1 << 20}), strings.NewReader(around(t, test.zip)))
			if err != nil {
				t.Fatal(err)
			}
			a := p.Attachments[0]
			if a.Size != int64(len(test.content)) || a.Digest != exchange.DigestOf([]byte(test.content)) {
				t.Errorf("unpacked to %d bytes, want the %d that were packed", a.Size, len(test.content))
			}
		})
	}
}

func TestZipByItsNameIsNotUnwrapped(t *testing.T) {
	z := packed(t, named("../a.csv"), csv)
	for _, name := range []string{"Danh sách.zip", "Danh sách.ZIP"} {
		p, err := decodeString(strings.ReplaceAll(strings.Replace(around(t, z), "Danh sách.csv", name, 1), "CV_1268_STC.pdf", name))
		if err != nil {
			t.Fatal(err)
		}
		if a := p.Attachments[0]; a.Digest != exchange.DigestOf(z) || a.Size != int64(len(z)) {
			t.Errorf("%s: the digest is not of the bytes as they are", name)
		}
	}
}

// The verdict does not depend on how the bytes come.
func TestZipInSmallPieces(t *testing.T) {
	b := &budget{entry: 1 << 20, total: 1 << 20}
	z := packed(t, named("a.csv"), csv)
	for _, r := range []io.Reader{iotest.OneByteReader(bytes.NewReader(z)), iotest.DataErrReader(bytes.NewReader(z))} {
		i, buffer := inspect(b), make([]byte, 7)
		for {
			n, err := r.Read(buffer)
			i.write(buffer[:n])
			if err != nil {
				break
			}
		}
		i.close()
		if i.found.err != nil || i.found.file.digest != sha256.Sum256([]byte(csv)) {
			t.Errorf("found %+v, want the digest of the file", i.found)
		}
	}
}

func TestAbandonedReadingLeavesNothing(t *testing.T) {
	s := around(t, packed(t, named("a.csv"), strings.Repeat(csv, 100)))
	cut := strings.Index(s, "</ContentTransferEncoded>") - 40
	before := runtime.NumGoroutine()
	for range 50 {
		d := New(Options{}).Decoder()
		if _, err := signing.Read(strings.NewReader(s[:cut]), d.Options()); err == nil {
			t.Fatal("a document that was cut off was read")
		}
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		runtime.GC()
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines left of abandoned readings", runtime.NumGoroutine()-before)
		}
	}
}

// What archive/zip finds in a ZIP that unwrap takes is what unwrap found.
func FuzzUnwrap(f *testing.F) {
	for _, test := range zipRefusals {
		if test.name != "a bomb" {
			f.Add(test.zip(f))
		}
	}
	f.Add(packed(f, named("a.csv"), csv))
	f.Add(raw(f, zip.Store, csv))
	f.Fuzz(func(t *testing.T, b []byte) {
		found, err := unwrap(bytes.NewReader(b), &budget{entry: 1 << 20, total: 1 << 20})
		var refused *flaw
		if errors.As(err, &refused) {
			return
		}
		if err != nil {
			t.Fatalf("error %v is no flaw", err)
		}
		r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil || len(r.File) != 1 {
			t.Fatalf("archive/zip finds %v in a ZIP that was taken: %v", r, err)
		}
		in, err := r.File[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil || exchange.DigestOf(content) != found.digest {
			t.Fatalf("archive/zip unpacks another file: %v", err)
		}
	})
}

func deflated(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func crc(content string) uint32 { return crc32.ChecksumIEEE([]byte(content)) }

func TestEveryFieldOfAZipHasItsWords(t *testing.T) {
	source, err := os.ReadFile("zip.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`mismatch\("([^"]+)"\)`).FindAllSubmatch(source, -1)
	if len(found) < 9 {
		t.Errorf("found %d fields", len(found))
	}
	for _, field := range found {
		if zipFields[string(field[1])] == "" {
			t.Errorf("%s has no words in Vietnamese", field[1])
		}
	}
}
