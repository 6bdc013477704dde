package edxml

import (
	"slices"
	"strings"
	"unicode/utf8"

	"tram/exchange"
	"tram/signing"
)

// reading collects what is found in one document: the first refusal, and the
// warnings. After a refusal the rest is read to no harm, for whoever wants to
// hear everything; that also keeps the way through a document straight.
type reading struct {
	refused  *exchange.Error
	warnings []string
	// tell hears of each refusal and each warning, with its place; nil: nobody does.
	tell func(err *exchange.Error, s exchange.Severity, at *signing.Element)
}

// refuse keeps the first refusal, with its place.
func (r *reading) refuse(err *exchange.Error, at *signing.Element) {
	if err == nil || r.refused != nil && r.tell == nil {
		return
	}
	err = err.At(at.Path(), line(at))
	if r.refused == nil {
		r.refused = err
	}
	if r.tell != nil {
		r.tell(err, exchange.SeverityRefused, at)
	}
}

func line(e *signing.Element) int {
	if e == nil {
		return 0
	}
	return e.Line
}

// warn notes a departure once.
func (r *reading) warn(rule exchange.Rule, at *signing.Element) {
	if !slices.Contains(r.warnings, rule.Name) {
		r.warnings = append(r.warnings, rule.Name)
	}
	if r.tell != nil {
		r.tell(rule.With().At(at.Path(), line(at)), exchange.SeverityWarning, at)
	}
}

func place(e *signing.Element) exchange.Place { return exchange.Place{Path: e.Path(), Line: line(e)} }

// one finds the child that may stand once, under any of the spellings of its
// name. It is nil if there is none; a nil parent has none.
func (r *reading) one(parent *signing.Element, names ...string) *signing.Element {
	if parent == nil {
		return nil
	}
	var found *signing.Element
	for _, c := range parent.Children {
		if c.Space != Namespace || !slices.Contains(names, c.Local) {
			continue
		}
		if found != nil {
			r.refuse(ruleAmbiguous.With(c.Local, found.Line), c)
			continue
		}
		found = c
	}
	return found
}

// need finds the child that must stand once. Where another was meant to be it,
// reading goes on in that one. What is wrong with a parent that is not there was
// said of the parent.
func (r *reading) need(parent *signing.Element, example, name string) *signing.Element {
	found := r.one(parent, name)
	if found != nil || parent == nil {
		return found
	}
	near := nearest(parent, name)
	r.refuse(missing(parent, name, example), near)
	if near == parent {
		return nil
	}
	adopt(near, near.Space)
	return near
}

// adopt takes the elements of another namespace for the format's own, so that one
// namespace that is wrong does not hide what else is. Such a document is refused.
func adopt(e *signing.Element, space string) {
	if e.Space == space {
		e.Space = Namespace
	}
	for _, c := range e.Children {
		adopt(c, space)
	}
}

// missing explains why a child is not there: it may be there under another name.
func missing(parent *signing.Element, name, example string) *exchange.Error {
	near := nearest(parent, name)
	if near == parent {
		return ruleMissing.With(name, example)
	}
	if near.Local == name {
		return ruleNamespace.With(name, near.Space)
	}
	return ruleElementName.With(near.Local, name)
}

// nearest is the child that was probably meant to be the one of that name, or
// else the parent.
func nearest(parent *signing.Element, name string) *signing.Element {
	if parent == nil {
		return nil
	}
	for _, c := range parent.Children {
		if strings.EqualFold(c.Local, name) && (c.Local != name || c.Space != Namespace) {
			return c
		}
	}
	return parent
}

// text is the text of a field, empty if there is none.
func (r *reading) text(parent *signing.Element, names ...string) string {
	return r.value(r.one(parent, names...))
}

// value is the text of an element that may hold nothing else: readers join the
// pieces around another element in different ways.
func (r *reading) value(e *signing.Element) string {
	if e != nil && len(e.Children) > 0 {
		r.refuse(ruleTextElements.With(e.Local, e.Children[0].Local), e.Children[0])
	}
	return r.within(maxField, e)
}

// brief is the text of a field that a package may have hundreds of.
func (r *reading) brief(parent *signing.Element, name string) string {
	e := r.one(parent, name)
	r.value(e)
	return r.within(maxBrief, e)
}

// within holds a text to a length. What is read here goes into lists, of many
// packages at once: it must not be as long as a document.
func (r *reading) within(most int, e *signing.Element) string {
	text := e.Value()
	if n := utf8.RuneCountInString(text); n > most {
		r.refuse(ruleFieldLength.With(e.Local, n, most), e)
		return ""
	}
	return text
}

// must is the text of a field that may not be missing or empty, and its element.
func (r *reading) must(parent *signing.Element, example, name string) (string, *signing.Element) {
	e := r.need(parent, example, name)
	v := r.value(e)
	if e != nil && v == "" {
		r.refuse(ruleMissing.With(name, example), e)
	}
	return v, e
}

// code is an agency's code that may not be missing.
func (r *reading) code(parent *signing.Element) (string, *signing.Element) {
	code, e := r.must(parent, "H12.07", "OrganId")
	if code != "" {
		r.refuse(checkCode(code), e)
	}
	return code, e
}

// date is a date that may be missing.
func (r *reading) date(parent *signing.Element, name string) string {
	e := r.one(parent, name)
	v := r.value(e)
	if v != "" {
		r.refuse(checkDate(v), e)
	}
	return v
}
