package signing

import "strings"

// A scope is the namespace declarations in force, innermost last.
type scope struct {
	bindings []binding
	marks    []int // how many there were before each open element
}

type binding struct{ prefix, uri string }

func (c *scope) reset() {
	clear(c.bindings[:cap(c.bindings)])
	c.bindings, c.marks = c.bindings[:0], c.marks[:0]
}

// push opens an element with its declarations.
func (c *scope) push(decls []attribute) {
	c.marks = append(c.marks, len(c.bindings))
	for i := range decls {
		c.bindings = append(c.bindings, binding{declared(decls[i].name), decls[i].value})
	}
}

func (c *scope) pop() {
	last := len(c.marks) - 1
	c.bindings = c.bindings[:c.marks[last]]
	c.marks = c.marks[:last]
}

// lookup returns the namespace of a prefix and whether it has one.
func (c *scope) lookup(prefix string) (string, bool) {
	for i := len(c.bindings) - 1; i >= 0; i-- {
		if c.bindings[i].prefix == prefix {
			return c.bindings[i].uri, true
		}
	}
	if prefix == "xml" {
		return nsXML, true
	}
	return "", prefix == ""
}

// declared is the prefix that a declaration binds; empty for the default.
func declared(name *qname) string {
	if name.prefix == "" {
		return ""
	}
	return name.local
}

// addDeclaration takes a namespace declaration of the tag (Namespaces in XML
// 1.0, 3 and 5).
func (s *scanner) addDeclaration(name *qname, value []byte) error {
	t := &s.tag
	if len(t.decls) == s.lim.NamespacesPerElement || len(s.scope.bindings)+len(t.decls) >= s.lim.Namespaces {
		return s.refuse(TooManyNamespaces, "")
	}
	for i := range t.decls {
		if t.decls[i].name.raw == name.raw {
			return s.refuse(DuplicateAttribute, excerpt([]byte(name.raw)))
		}
	}
	uri, err := s.uri(value)
	if err != nil {
		return err
	}
	if !mayBind(declared(name), uri) {
		return s.refuse(NamespaceDeclaration, name.raw+"="+excerpt(value))
	}
	t.decls = append(t.decls, attribute{name: name, value: uri})
	return nil
}

// mayBind says whether a prefix may stand for a namespace: only the default may
// be undeclared, and xml and xmlns keep theirs to themselves.
func mayBind(prefix, uri string) bool {
	switch {
	case prefix == "xml":
		return uri == nsXML
	case prefix == "xmlns", uri == nsXML, uri == nsXMLNS:
		return false
	}
	return uri != "" || prefix == ""
}

// isAbsolute says whether a namespace is an absolute URI. Relative ones have no
// canonical form (Canonical XML 1.0, 1.3), and of two readers one refuses what
// RFC 3986 does not allow in a URI. An ampersand is refused though it does: in
// canonical form some write it as it is, against the standard.
func isAbsolute(uri string) bool {
	scheme, rest, found := strings.Cut(uri, ":")
	if !found || scheme == "" {
		return false
	}
	for i := range len(scheme) {
		c := scheme[i] | 0x20
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(scheme[i]))) {
			return false
		}
	}
	return strings.Count(rest, "#") <= 1 && !strings.ContainsFunc(rest, notInURI) && hasPort(rest)
}

// notInURI tells the characters that no namespace has. A percent sign is among
// them: nobody encodes in a name that is only compared.
func notInURI(c rune) bool {
	letter := c|0x20 >= 'a' && c|0x20 <= 'z'
	return !letter && !strings.ContainsRune("0123456789-._~:/?#@!$'()*+,;=", c)
}

// hasPort says whether what stands after the host's colon, if one does, is a
// port (RFC 3986, 3.2.3).
func hasPort(rest string) bool {
	authority, found := strings.CutPrefix(rest, "//")
	if !found {
		return true
	}
	if end := strings.IndexAny(authority, "/?#"); end >= 0 {
		authority = authority[:end]
	}
	_, port, found := strings.Cut(authority[strings.LastIndexByte(authority, '@')+1:], ":")
	return !found || port != "" && len(port) <= 5 && strings.Trim(port, "0123456789") == ""
}

// uri checks a namespace and keeps it, once. It is no longer than a name may be:
// canonical form writes it again at every element that uses it first, so that a
// document would be small and its canonical form, and SignedInfo's in memory, not.
func (s *scanner) uri(value []byte) (string, error) {
	if u, ok := s.uris[string(value)]; ok {
		return u, nil
	}
	if len(value) > s.lim.NameBytes {
		return "", s.refuse(NameTooLong, excerpt(value))
	}
	if err := s.charge(len(value) + nameCost); err != nil {
		return "", err
	}
	u := string(value)
	if u != "" && !isAbsolute(u) {
		return "", s.refuse(RelativeNamespace, excerpt(value))
	}
	s.uris[u] = u
	return u, nil
}

// resolve pushes the tag's declarations and gives its attributes their
// namespaces.
func (s *scanner) resolve() (space string, err error) {
	t := &s.tag
	s.scope.push(t.decls)
	space, err = s.space(t.name)
	if err != nil {
		return "", err
	}
	prefixed := 0
	for i := range t.attrs {
		a := &t.attrs[i]
		if a.name.prefix == "" {
			a.space = ""
			continue
		}
		prefixed++
		if a.space, err = s.space(a.name); err != nil {
			return "", err
		}
	}
	if prefixed > 1 {
		return space, s.checkExpanded()
	}
	return space, nil
}

func (s *scanner) space(name *qname) (string, error) {
	uri, ok := s.scope.lookup(name.prefix)
	if !ok {
		return "", s.refuse(UndeclaredPrefix, excerpt([]byte(name.raw)))
	}
	return uri, nil
}

// checkExpanded refuses two attributes of one expanded name (Namespaces in XML
// 1.0, 6.3).
func (s *scanner) checkExpanded() error {
	attrs := s.tag.attrs
	for i := range attrs {
		for j := range i {
			if attrs[i].space != "" && attrs[i].name.local == attrs[j].name.local && attrs[i].space == attrs[j].space {
				return s.refuse(DuplicateAttribute, excerpt([]byte(attrs[i].name.raw)))
			}
		}
	}
	return nil
}
