package signing

import (
	"bytes"
	"strings"
)

var byteOrderMark = []byte("\xEF\xBB\xBF")

// otherEncodings are beginnings that no UTF-8 document has: byte order marks
// and the first characters of UTF-16, UTF-32 and EBCDIC (XML 1.0, appendix F).
var otherEncodings = []string{
	"\xFE\xFF", "\xFF\xFE", "\x00", "<\x00", "\x4C\x6F\xA7\x94", "+/v", "\xDD\x73\x66\x73",
}

// prolog takes everything before the root's '<'.
func (s *scanner) prolog() error {
	if err := s.ensure(6); err != nil {
		return s.placed(err)
	}
	for _, mark := range otherEncodings {
		if bytes.HasPrefix(s.buf[:s.end], []byte(mark)) {
			return s.refusef(Encoding, "the document begins with %s", excerpt(s.buf[:min(4, s.end)]))
		}
	}
	if bytes.HasPrefix(s.buf[:s.end], byteOrderMark) {
		s.pos = len(byteOrderMark)
	}
	if err := s.xmlDeclaration(); err != nil {
		return err
	}
	found, err := s.misc()
	if err != nil {
		return err
	}
	if !found {
		return s.refusef(Truncated, "there is no element")
	}
	return s.rootTag()
}

// rootTag refuses what begins with '<' but is no start tag.
func (s *scanner) rootTag() error {
	if err := s.ensure(2); err != nil {
		return s.placed(err)
	}
	if s.end-s.pos < 2 {
		return s.refusef(Truncated, "there is no element")
	}
	if c := s.buf[s.pos+1]; c == '!' || c == '?' {
		return s.declaration()
	}
	return nil
}

// epilog takes what follows the root: white space only.
func (s *scanner) epilog() error {
	found, err := s.misc()
	if err != nil || !found {
		return err
	}
	if err := s.ensure(2); err != nil {
		return s.placed(err)
	}
	if c := s.buf[min(s.pos+1, s.end-1)]; c == '!' || c == '?' {
		return s.declaration()
	}
	return s.refuse(SecondRoot, "")
}

// misc skips white space outside the root and says whether a '<' follows.
func (s *scanner) misc() (bool, error) {
	for {
		s.pos += spaceEnd(s.buf[s.pos:s.end])
		if s.pos < s.end {
			break
		}
		if ok, err := s.more(); err != nil || !ok {
			return false, s.placed(err)
		}
	}
	if s.buf[s.pos] == '<' {
		return true, nil
	}
	return false, s.refuse(TextOutsideRoot, excerpt(s.buf[s.pos:min(s.pos+8, s.end)]))
}

// xmlDeclaration takes "<?xml …?>" if the document begins with it.
func (s *scanner) xmlDeclaration() error {
	if err := s.ensure(6); err != nil {
		return s.placed(err)
	}
	b := s.buf[s.pos:s.end]
	if len(b) < 6 || !bytes.HasPrefix(b, []byte("<?xml")) || classes[b[5]]&spaceByte == 0 {
		return nil
	}
	if err := s.ensure(maxDeclaration); err != nil {
		return s.placed(err)
	}
	b = s.buf[s.pos:min(s.end, s.pos+maxDeclaration)]
	end := bytes.Index(b, []byte("?>"))
	if end < 0 {
		return s.refusef(XMLDeclaration, "it has no end")
	}
	if err := s.checkDeclaration(string(b[5:end])); err != nil {
		return err
	}
	s.pos += end + 2
	return nil
}

const maxDeclaration = 256

// checkDeclaration follows production 23 of XML 1.0: version, then encoding,
// then standalone.
func (s *scanner) checkDeclaration(rest string) error {
	version, rest, ok := pseudoAttribute(rest, "version")
	if !ok {
		return s.refusef(XMLDeclaration, "it does not begin with a version")
	}
	if version != "1.0" {
		return s.refusef(XMLDeclaration, "version %s", excerpt([]byte(version)))
	}
	if encoding, after, ok := pseudoAttribute(rest, "encoding"); ok {
		rest = after
		if !strings.EqualFold(encoding, "utf-8") {
			return s.refusef(Encoding, "declared %s", excerpt([]byte(encoding)))
		}
	}
	if standalone, after, ok := pseudoAttribute(rest, "standalone"); ok {
		rest = after
		if standalone != "yes" && standalone != "no" {
			return s.refusef(XMLDeclaration, "standalone %s", excerpt([]byte(standalone)))
		}
	}
	if strings.Trim(rest, xmlSpace) != "" {
		return s.refuse(XMLDeclaration, excerpt([]byte(rest)))
	}
	return nil
}

const xmlSpace = " \t\r\n"

// pseudoAttribute reads ` name = "value"` from the beginning of text.
func pseudoAttribute(text, name string) (value, rest string, ok bool) {
	rest = strings.TrimLeft(text, xmlSpace)
	if rest == text || !strings.HasPrefix(rest, name) {
		return "", text, false
	}
	rest, ok = strings.CutPrefix(strings.TrimLeft(rest[len(name):], xmlSpace), "=")
	rest = strings.TrimLeft(rest, xmlSpace)
	if !ok || rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return "", text, false
	}
	value, rest, ok = strings.Cut(rest[1:], rest[:1])
	if !ok {
		return "", text, false
	}
	return value, rest, true
}
