package signing

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind groups rules by what a caller does about them.
type Kind string

// The kinds.
const (
	Malformed        Kind = "malformed"         // not the XML, or not the form, that is accepted
	InvalidSignature Kind = "invalid-signature" // the signature does not hold or is not of an accepted kind
	Untrusted        Kind = "untrusted"         // the signature may hold, its certificate does not count
	TooLarge         Kind = "too-large"         // more than the limits allow
	Harmful          Kind = "harmful"           // could hurt a receiver's software
)

// Error is a refusal. Rule is stable: programs may rely on it.
type Error struct {
	Kind   Kind
	Rule   Rule
	Path   string // of the element where it happened; empty outside the root
	Line   int    // 1-based; 0 if no place applies
	Detail string // what was found, for people; never more than a short excerpt
	Err    error

	vi string // Detail in Vietnamese, where it is more than data
}

// Error says the rule, the place and what was found, on one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Rule))
	if e.Line > 0 {
		b.WriteString(" at line " + strconv.Itoa(e.Line))
	}
	if e.Path != "" {
		b.WriteString(" in " + e.Path)
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Text says in "vi" or, for any other language, in English what is wrong, what
// to do and what was found.
func (e *Error) Text(lang string) string {
	found := e.Detail
	if lang == "vi" && e.vi != "" {
		found = e.vi
	}
	if found == "" {
		return e.Rule.Text(lang)
	}
	return e.Rule.Text(lang) + " (" + found + ")"
}

// Unwrap returns the cause, if there is one beneath the refusal.
func (e *Error) Unwrap() error { return e.Err }

// Refuse returns a refusal by a rule of this package, with its kind and without
// a place: Read adds the place when a Stream writer returns it. The detail is
// data, the same in every language.
func Refuse(rule Rule, detail string) *Error {
	return &Error{Kind: rule.Kind(), Rule: rule, Detail: detail}
}

// refusef is Refuse with a detail of words: the format is one of details.
func refusef(rule Rule, format string, args ...any) *Error {
	e := Refuse(rule, fmt.Sprintf(format, args...))
	e.vi = fmt.Sprintf(details[format], args...)
	return e
}

// about puts the name of what is refused before what was found.
func (e *Error) about(name string) *Error {
	e.Detail = name + ": " + e.Detail
	if e.vi != "" {
		e.vi = name + ": " + e.vi
	}
	return e
}
