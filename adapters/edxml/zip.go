package edxml

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"tram/exchange"
)

// Signatures and flags of the ZIP format (APPNOTE 6.3.10, 4.3 and 4.4.4).
const (
	zipLocal      = 0x04034b50
	zipDescriptor = 0x08074b50
	zipCentral    = 0x02014b50
	zipEnd        = 0x06054b50
	zip64End      = 0x06064b50

	flagEncrypted  = 1 << 0
	flagDescriptor = 1 << 3
	flagPatch      = 1 << 5
	flagStrong     = 1 << 6
	flagUTF8       = 1 << 11
	flagMasked     = 1 << 13

	methodStored  = 0
	methodDeflate = 8

	extraZip64       = 0x0001
	extraUnicodePath = 0x7075
)

// flaw is why a file cannot be unwrapped: a rule and its arguments after the
// attachment's name, which is not known while the content streams by.
type flaw struct {
	rule exchange.Rule
	args []any
}

func (f *flaw) Error() string { return f.rule.Name }

func flawed(rule exchange.Rule, args ...any) *flaw { return &flaw{rule, args} }

// mismatch is the flaw of a ZIP that contradicts itself in the field.
func mismatch(field string) *flaw {
	return flawed(ruleZipMismatch, exchange.Words{En: field, Vi: zipFields[field]})
}

// of is the refusal of the attachment of that name.
func (f *flaw) of(name string) *exchange.Error {
	return f.rule.With(append([]any{name}, f.args...)...)
}

// file is what was found in an attachment.
type file struct {
	size   int64
	digest exchange.Digest
	look   *look
}

func (f *file) see(p []byte) {
	if f.look != nil {
		_, _ = f.look.Write(p) // it never fails
	}
}

// end is called when the file is whole.
func (f *file) end() {
	if f.look != nil {
		f.look.tell()
	}
}

// unwrap reads a ZIP of exactly one entry from its first byte to its last, in
// the order in which it is written, and returns what the entry holds. Readers
// that go by the local header and readers that go by the directory at the end
// must find the same file: both are compared with what is really there.
//
// Errors are flaws, or those of in. What the entry holds is also written to also.
func unwrap(in io.Reader, b *budget, also ...io.Writer) (file, error) {
	z := &archive{r: bufio.NewReader(in), also: also}
	local, err := z.begin()
	if err != nil {
		return file{}, err
	}
	found, sum, err := z.content(local, b)
	if err != nil {
		return file{}, err
	}
	if err := z.descriptor(local, sum); err != nil {
		return file{}, err
	}
	directory := z.n
	if err := z.central(local, sum); err != nil {
		return file{}, err
	}
	return found, z.end(directory)
}

// archive reads a ZIP and counts its bytes. It is an io.ByteReader so that
// inflating takes no byte too many.
type archive struct {
	r    *bufio.Reader
	n    int64
	also []io.Writer
}

func (z *archive) Read(p []byte) (int, error) {
	n, err := z.r.Read(p)
	z.n += int64(n)
	return n, err
}

func (z *archive) ReadByte() (byte, error) {
	c, err := z.r.ReadByte()
	if err == nil {
		z.n++
	}
	return c, err
}

// fields reads n bytes.
func (z *archive) fields(n int) (fields, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(z, b); err != nil {
		return nil, z.broken(err)
	}
	return b, nil
}

// broken is the flaw behind an error of reading.
func (z *archive) broken(err error) error {
	var corrupt flate.CorruptInputError
	if err == io.EOF || err == io.ErrUnexpectedEOF || errors.As(err, &corrupt) {
		return flawed(ruleZipBroken, z.n)
	}
	return err
}

// fields are little-endian numbers.
type fields []byte

func (f fields) u16(at int) uint16 { return binary.LittleEndian.Uint16(f[at:]) }
func (f fields) u32(at int) uint32 { return binary.LittleEndian.Uint32(f[at:]) }

// entry is what a header says about a file.
type entry struct {
	flags, method uint16
	crc           uint32
	packed, size  uint32
	name          []byte
}

// sums is what is true about it.
type sums struct {
	crc          uint32
	packed, size int64
}

// begin reads the local header (4.3.7).
func (z *archive) begin() (entry, error) {
	head, err := z.fields(4)
	if err != nil {
		return entry{}, noZip(err)
	}
	switch head.u32(0) {
	case zipLocal:
	case zipEnd:
		return entry{}, flawed(ruleZipEntries)
	default:
		return entry{}, flawed(ruleZipNot)
	}
	h, err := z.fields(26)
	if err != nil {
		return entry{}, err
	}
	e := entry{flags: h.u16(2), method: h.u16(4), crc: h.u32(10), packed: h.u32(14), size: h.u32(18)}
	if err := z.names(&e, h.u16(22), h.u16(24)); err != nil {
		return entry{}, err
	}
	return e, e.readable()
}

// noZip takes content of less than four bytes for what it is.
func noZip(err error) error {
	var f *flaw
	if errors.As(err, &f) {
		return flawed(ruleZipNot)
	}
	return err
}

// names reads an entry's name and its extra fields, either of which may name
// the file.
func (z *archive) names(e *entry, name, extra uint16) error {
	var err error
	if e.name, err = z.fields(int(name)); err != nil {
		return err
	}
	rest, err := z.fields(int(extra))
	if err != nil {
		return err
	}
	for len(rest) >= 4 {
		id, size := rest.u16(0), int(rest.u16(2))
		if len(rest) < 4+size {
			return mismatch("extra fields")
		}
		field := rest[4 : 4+size]
		rest = rest[4+size:]
		if id == extraZip64 {
			return flawed(ruleZip64)
		}
		if id == extraUnicodePath && (size < 5 || !bytes.Equal(field[5:], e.name)) {
			return mismatch("name")
		}
	}
	return nil
}

// readable refuses what receivers cannot unpack, or must not.
func (e entry) readable() error {
	if e.flags&(flagEncrypted|flagStrong|flagMasked) != 0 {
		return flawed(ruleZipEncrypted)
	}
	if e.packed == 0xffffffff || e.size == 0xffffffff {
		return flawed(ruleZip64)
	}
	// Java's ZipInputStream refuses a stored entry with a data descriptor: it
	// could not tell where the entry ends.
	if e.method != methodDeflate && (e.method != methodStored || e.flags&flagDescriptor != 0) || e.flags&flagPatch != 0 {
		return flawed(ruleZipMethod, e.method)
	}
	if bytes.HasSuffix(e.name, []byte("/")) {
		return flawed(ruleZipKind)
	}
	if !plainName(string(e.name)) {
		return flawed(ruleZipName, excerpt(string(e.name)))
	}
	return nil
}

// content unpacks the entry.
func (z *archive) content(e entry, b *budget) (file, sums, error) {
	from := z.n
	in, done := z.packed(e)
	crc, sum := crc32.NewIEEE(), sha256.New()
	found := file{look: &look{}}
	look := writerFunc(func(p []byte) error { found.see(p); return nil })
	size, err := b.copy(io.MultiWriter(append([]io.Writer{crc, sum, look}, z.also...)...), in)
	if err != nil {
		return file{}, sums{}, z.broken(err)
	}
	if err := done(); err != nil {
		return file{}, sums{}, z.broken(err)
	}
	found.end()
	found.size, found.digest = size, exchange.Digest(sum.Sum(nil))
	return found, sums{crc.Sum32(), z.n - from, size}, nil
}

// packed reads an entry's content; done tells at its end whether all was there.
func (z *archive) packed(e entry) (in io.Reader, done func() error) {
	if e.method == methodDeflate {
		r := flate.NewReader(z)
		return r, r.Close
	}
	limited := &io.LimitedReader{R: z, N: int64(e.packed)}
	return limited, func() error {
		if limited.N > 0 {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
}

// descriptor compares the header, or the data descriptor that stands in for it
// (4.3.9), with what was found.
func (z *archive) descriptor(local entry, found sums) error {
	if local.flags&flagDescriptor == 0 {
		return local.equals(found)
	}
	// Readers that use the header's numbers all the same must find no lie.
	if local.crc|local.packed|local.size != 0 {
		if err := local.equals(found); err != nil {
			return err
		}
	}
	d, err := z.fields(12)
	if err != nil {
		return err
	}
	if d.u32(0) == zipDescriptor { // the signature is optional
		rest, err := z.fields(4)
		if err != nil {
			return err
		}
		d = append(d[4:], rest...)
	}
	return entry{crc: d.u32(0), packed: d.u32(4), size: d.u32(8)}.equals(found)
}

// equals compares what a header says with what is there.
func (e entry) equals(found sums) error {
	switch {
	case e.crc != found.crc:
		return mismatch("crc-32")
	case int64(e.packed) != found.packed:
		return mismatch("compressed size")
	case int64(e.size) != found.size:
		return mismatch("uncompressed size")
	}
	return nil
}

// central reads the one header of the central directory (4.3.12).
func (z *archive) central(local entry, found sums) error {
	head, err := z.fields(4)
	if err != nil {
		return err
	}
	if head.u32(0) == zipLocal {
		return flawed(ruleZipEntries)
	}
	if head.u32(0) != zipCentral {
		return flawed(ruleZipBroken, z.n)
	}
	h, err := z.fields(42)
	if err != nil {
		return err
	}
	e := entry{flags: h.u16(4), method: h.u16(6), crc: h.u32(12), packed: h.u32(16), size: h.u32(20)}
	if err := z.names(&e, h.u16(24), h.u16(26)); err != nil {
		return err
	}
	if comment := h.u16(28); comment > 0 {
		return flawed(ruleZipTrailing)
	}
	if err := e.readable(); err != nil {
		return err
	}
	if err := e.equals(found); err != nil {
		return err
	}
	return e.agrees(local, h)
}

// Unix file types in the external attributes, which most packers fill.
const (
	unixHost    = 3
	macHost     = 19
	unixType    = 0xf000
	unixRegular = 0x8000
	dosFolder   = 0x10
)

// agrees compares what a central header alone says with the local one.
func (e entry) agrees(local entry, h fields) error {
	switch {
	case !bytes.Equal(e.name, local.name):
		return mismatch("name")
	case e.method != local.method:
		return mismatch("method")
	case (e.flags^local.flags)&flagUTF8 != 0:
		return mismatch("flags")
	case h.u16(30) != 0 || h.u32(38) != 0: // disk and offset of the local header
		return mismatch("offset")
	}
	if h.u32(34)&dosFolder != 0 {
		return flawed(ruleZipKind)
	}
	// Version made by, then the mode in the attributes' upper half (4.4.2, 4.4.15).
	mode := h.u32(34) >> 16 & unixType
	if (h[1] == unixHost || h[1] == macHost) && mode != 0 && mode != unixRegular {
		return flawed(ruleZipKind)
	}
	return nil
}

// end reads the end record (4.3.16), after which nothing may come.
func (z *archive) end(directory int64) error {
	size := z.n - directory
	h, err := z.fields(22)
	if err != nil {
		return err
	}
	switch h.u32(0) {
	case zipEnd:
	case zipCentral:
		return flawed(ruleZipEntries)
	case zip64End:
		return flawed(ruleZip64)
	default:
		return flawed(ruleZipBroken, z.n)
	}
	switch {
	case h.u16(8) != 1 || h.u16(10) != 1:
		return flawed(ruleZipEntries)
	case h.u16(4) != 0 || h.u16(6) != 0:
		return mismatch("disk")
	case int64(h.u32(12)) != size || int64(h.u32(16)) != directory:
		return mismatch("offset")
	case h.u16(20) != 0:
		return flawed(ruleZipTrailing)
	}
	if _, err := z.ReadByte(); err != io.EOF {
		if err == nil {
			return flawed(ruleZipTrailing)
		}
		return err
	}
	return nil
}
