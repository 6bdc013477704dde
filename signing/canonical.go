package signing

// AppendText appends s as canonical XML writes character data (Canonical XML
// 1.0, section 2.3, text nodes). It escapes and nothing more: characters that
// XML forbids pass through, and are refused when the document is read.
func AppendText(dst []byte, s string) []byte {
	done := 0
	for i := 0; i < len(s); i++ {
		if s[i] > '>' {
			continue
		}
		escaped := textEscape(s[i])
		if escaped == "" {
			continue
		}
		dst = append(append(dst, s[done:i]...), escaped...)
		done = i + 1
	}
	return append(dst, s[done:]...)
}

// AppendAttr appends s as canonical XML writes an attribute's value, without
// the quotation marks around it (Canonical XML 1.0, section 2.3, attribute nodes).
func AppendAttr(dst []byte, s string) []byte {
	done := 0
	for i := 0; i < len(s); i++ {
		if s[i] > '<' {
			continue
		}
		escaped := attrEscape(s[i])
		if escaped == "" {
			continue
		}
		dst = append(append(dst, s[done:i]...), escaped...)
		done = i + 1
	}
	return append(dst, s[done:]...)
}

func textEscape(c byte) string {
	switch c {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '\r':
		return "&#xD;"
	}
	return ""
}

func attrEscape(c byte) string {
	switch c {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '"':
		return "&quot;"
	case '\t':
		return "&#x9;"
	case '\n':
		return "&#xA;"
	case '\r':
		return "&#xD;"
	}
	return ""
}
