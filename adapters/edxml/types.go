package edxml

import (
	"bytes"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"tram/exchange"
	"tram/signing"
)

// Types says what becomes of an attachment whose bytes are not what its name says.
type Types string

// The policies. A program under a document's name is refused by all but TypesOff.
const (
	TypesOff    Types = "off"    // nobody compares
	TypesWarn   Types = "warn"   // a warning goes with the package
	TypesRefuse Types = "refuse" // the package is refused
)

// headSize is how many bytes tell a file's type; mimetype looks at no more.
const headSize = 3072

// look finds out what a file is while its bytes stream by: its type by the first
// of them, whether macros are anywhere in it, and what signatures a PDF says that it
// has.
type look struct {
	head   []byte
	kind   *mimetype.MIME
	binary bool // there is a zero byte in its head
	macros search
	ranges *signing.PDFRanges // nil: it is no PDF
}

func (l *look) Write(p []byte) (int, error) {
	if l.kind != nil {
		l.search(p)
		return len(p), nil
	}
	n := min(headSize-len(l.head), len(p))
	if l.head = append(l.head, p[:n]...); len(l.head) == headSize {
		l.tell()
		l.search(p[n:])
	}
	return len(p), nil
}

func (l *look) search(p []byte) {
	l.macros.write(p)
	if l.ranges != nil {
		_, _ = l.ranges.Write(p) // it never fails
	}
}

// signed ends the file, and is what a PDF says that its signatures cover.
func (l *look) signed() []signing.ByteRange {
	if l.tell(); l.ranges == nil {
		return nil
	}
	return l.ranges.Found()
}

// tell ends the head.
func (l *look) tell() {
	if l.kind != nil {
		return
	}
	l.kind, l.binary = mimetype.Detect(l.head), bytes.IndexByte(l.head, 0) >= 0
	switch {
	case kindOf(l.kind, mimeZip):
		l.macros.pattern = []byte("vbaProject.bin") // a part's name in the ZIP (MS-OFFMACRO2, 2.2.1)
	case kindOf(l.kind, mimeOLE):
		l.macros.pattern = utf16("_VBA_PROJECT") // a stream's name in the directory (MS-OVBA, 2.2.1)
	case kindOf(l.kind, mimePDF):
		l.ranges = &signing.PDFRanges{}
	}
	l.search(l.head)
	l.head = nil
}

func utf16(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		b = append(b, s[i], 0)
	}
	return b
}

// search looks for a pattern in pieces. Without a pattern it finds nothing.
type search struct {
	pattern, tail []byte
	found         bool
}

func (s *search) write(p []byte) {
	if len(s.pattern) == 0 || s.found {
		return
	}
	most := len(s.pattern) - 1
	s.tail = append(s.tail, p[:min(most, len(p))]...)
	if s.found = bytes.Contains(s.tail, s.pattern) || bytes.Contains(p, s.pattern); s.found {
		return
	}
	if len(p) >= most {
		s.tail = append(s.tail[:0], p[len(p)-most:]...)
	} else if over := len(s.tail) - most; over > 0 {
		s.tail = append(s.tail[:0], s.tail[over:]...)
	}
}

// Types that others are a kind of.
const (
	mimeZip  = "application/zip"
	mimePDF  = "application/pdf"
	mimeOLE  = "application/x-ole-storage"
	mimeText = "text/plain"
)

// kindOf says whether a type is one of, or a kind of one of, these.
func kindOf(m *mimetype.MIME, types ...string) bool {
	for ; m != nil; m = m.Parent() {
		if slices.ContainsFunc(types, m.Is) {
			return true
		}
	}
	return false
}

// programs are the types of what a machine runs.
var programs = []string{"application/vnd.microsoft.portable-executable", "application/x-elf", "application/x-mach-binary",
	"application/x-ms-installer", "application/x-java-applet", "application/java-archive", "application/wasm"}

// programNames are the extensions by which Windows runs a file, or has one run.
var programNames = []string{"bat", "chm", "cmd", "com", "cpl", "dll", "exe", "hta", "iso", "jar", "js", "jse", "lnk", "msi", "pif", "ps1",
	"scr", "vbe", "vbs", "wsf", "wsh"}

// extensionTypes are the types that go with an extension. Office programs write a file
// with a password as an OLE storage, and RTF under the name of a .doc.
var extensionTypes = map[string][]string{
	"pdf": {mimePDF},
	"doc": {mimeOLE, "text/rtf"}, "dot": {mimeOLE}, "xls": {mimeOLE}, "ppt": {mimeOLE}, "pps": {mimeOLE},
	"docx": office("wordprocessingml.document"), "xlsx": office("spreadsheetml.sheet"), "pptx": office("presentationml.presentation"),
	"docm": {mimeZip, mimeOLE}, "xlsm": {mimeZip, mimeOLE}, "pptm": {mimeZip, mimeOLE},
	"odt": openDocument("text"), "ods": openDocument("spreadsheet"), "odp": openDocument("presentation"),
	"rtf": {"text/rtf"}, "txt": {mimeText}, "csv": {mimeText}, "xml": {mimeText}, "json": {mimeText}, "html": {mimeText}, "htm": {mimeText},
	"zip": {mimeZip}, "rar": {"application/x-rar-compressed"}, "7z": {"application/x-7z-compressed"},
	"jpg": {"image/jpeg"}, "jpeg": {"image/jpeg"}, "png": {"image/png"}, "gif": {"image/gif"}, "bmp": {"image/bmp"},
	"tif": {"image/tiff"}, "tiff": {"image/tiff"},
}

func office(kind string) []string {
	return []string{"application/vnd.openxmlformats-officedocument." + kind, mimeOLE}
}

func openDocument(kind string) []string {
	return []string{"application/vnd.oasis.opendocument." + kind}
}

// fits says whether a file of this type may have this extension; true where
// nobody knows the extension.
func fits(m *mimetype.MIME, ext string) bool {
	list, known := extensionTypes[ext]
	if !known || kindOf(m, list...) {
		return true
	}
	// The head of a ZIP need not tell what kind it is.
	return m.Is(mimeZip) && (strings.HasPrefix(list[0], "application/vnd.oasis.") || strings.HasPrefix(list[0], "application/vnd.openxml"))
}

// judge says what is to be said of a file: its type, its flags, and why it is
// refused, if it is. declared is the type that the package gives it.
func (l *look) judge(name, declared string, policy Types) (kind string, flags []string, refused *exchange.Error) {
	l.tell()
	if kind, _, _ = strings.Cut(l.kind.String(), ";"); kind == declared {
		kind = ""
	}
	ext := extension(name)
	named := slices.Contains(programNames, ext)
	// Two letters make a program of a text: a real one has zero bytes too.
	if l.binary && kindOf(l.kind, programs...) || named {
		flags = append(flags, exchange.FlagProgram)
	}
	if len(flags) > 0 && (!named || policy == TypesRefuse) {
		return kind, flags, ruleProgram.With(excerpt(name))
	}
	if declared == mimePDF && extensionTypes[ext] == nil {
		ext = "pdf" // a name that says nothing: the declared type does
	}
	if !named && !fits(l.kind, ext) {
		flags = append(flags, exchange.FlagType)
		if policy == TypesRefuse {
			return kind, flags, ruleType.With(excerpt(name), l.kind.String())
		}
	}
	if l.macros.found {
		flags = append(flags, exchange.FlagMacros)
	}
	return kind, flags, nil
}

// flagWarnings are the warnings that go with flags.
var flagWarnings = map[string]exchange.Rule{
	exchange.FlagProgram: warnProgram, exchange.FlagType: warnType, exchange.FlagMacros: warnMacros,
}
