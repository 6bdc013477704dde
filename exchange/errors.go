package exchange

import (
	"errors"
	"fmt"
	"slices"

	"tram/signing"
)

// Code is the stable class of a refusal. A code, once published, keeps its
// meaning: it is the problem document's type, the receipt's reason, the
// metric's label and what the command line prints.
type Code string

// The codes. HTTP statuses are mapped in one table of adapters/httpapi.
const (
	Malformed              Code = "malformed"
	InvalidSignature       Code = "invalid-signature"
	Untrusted              Code = "untrusted"
	Revoked                Code = "revoked"
	NotPermitted           Code = "not-permitted"
	UnknownAgency          Code = "unknown-agency"
	NotFound               Code = "not-found"
	Duplicate              Code = "duplicate"
	Conflict               Code = "conflict"
	TooLarge               Code = "too-large"
	Busy                   Code = "busy"
	Unreachable            Code = "unreachable"
	Refused                Code = "refused"
	Expired                Code = "expired"
	Cancelled              Code = "cancelled"
	WithdrawnBySender      Code = "withdrawn"
	InvalidAcknowledgement Code = "invalid-acknowledgement"
	Harmful                Code = "harmful"
	Unauthenticated        Code = "unauthenticated"
	Internal               Code = "internal"
)

// URI is the code as an evidence's reason (ETSI EN 319 522-3, EventReason/Code)
// and as a problem document's type (RFC 9457, 3.1.1).
func (c Code) URI() string { return "urn:tram:error:" + string(c) }

// A Rule is one named reason for refusing, with its words. Name is stable. En
// and Vi are formats for the same arguments; they say what is wrong and what to
// do next.
type Rule struct {
	Name   string
	Code   Code
	En, Vi string
}

// With returns the refusal by this rule; args fill its words. An argument that
// is not mere data is Words.
func (r Rule) With(args ...any) *Error { return &Error{Rule: r, Args: args} }

// Error is a refusal that may be shown to whoever caused it. An error that is
// not an Error is internal: its text goes to the log, never to an agency.
type Error struct {
	Rule Rule
	Args []any
	// Path and Line say where in the document, if it was about a document.
	Path string
	Line int
	// Receipt is the SubmissionRejection that attests to the refusal, if any.
	Receipt ReceiptID
	Err     error
}

// At returns the error with its place in the document: the path of the element
// and the line of its start tag.
func (e *Error) At(path string, line int) *Error {
	e.Path, e.Line = path, line
	return e
}

// Code is the class the rule belongs to.
func (e *Error) Code() Code { return e.Rule.Code }

// RetryAfter is how many seconds a busy hub asks to wait: rules of that code name
// it last among their words.
func (e *Error) RetryAfter() int {
	if n := len(e.Args); n > 0 {
		if seconds, ok := e.Args[n-1].(int); ok && seconds > 0 {
			return seconds
		}
	}
	return 1
}

// Text is what is wrong and what to do next, in "vi" or, for any other
// language, English.
func (e *Error) Text(lang string) string {
	format := Words{e.Rule.En, e.Rule.Vi}.In(lang)
	if len(e.Args) == 0 {
		return format
	}
	args := slices.Clone(e.Args)
	for i, arg := range args {
		if words, ok := arg.(Words); ok {
			args[i] = words.In(lang)
		}
	}
	return fmt.Sprintf(format, args...)
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s (%s): %s", e.Rule.Code, e.Rule.Name, e.Text("en"))
	if e.Path != "" {
		text += fmt.Sprintf(" [%s, line %d]", e.Path, e.Line)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf is the code of err: Internal if it has none, empty for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Rule.Code
	}
	return Internal
}

// refusal turns an error of reading a document into a refusal, where it is one.
func refusal(err error) error {
	var e *Error
	if errors.As(err, &e) { // the format's own, raised while the text streamed by
		return e
	}
	var s *signing.Error
	if !errors.As(err, &s) {
		return err
	}
	rule := Rule{Name: string(s.Rule), Code: codeOfKind(s.Kind), En: s.Text("en"), Vi: s.Text("vi")}
	return &Error{Rule: rule, Path: s.Path, Line: s.Line, Err: err}
}

func codeOfKind(k signing.Kind) Code {
	switch k {
	case "invalid-signature":
		return InvalidSignature
	case "untrusted":
		return Untrusted
	case "too-large":
		return TooLarge
	case "harmful":
		return Harmful
	}
	return Malformed
}
