package revocation

import (
	"errors"
	"fmt"

	"tram/exchange"
)

// A problem is why a source tells nothing: by name, and in detail for the
// operators.
type problem struct {
	reason string // one of exchange's
	detail error
}

func (p *problem) Error() string { return fmt.Sprintf("%s: %v", p.reason, p.detail) }
func (p *problem) Unwrap() error { return p.detail }

// because is a problem whose detail is written as fmt.Errorf does.
func because(reason, format string, args ...any) error {
	return &problem{reason, fmt.Errorf(format, args...)}
}

// reasonOf is the name of why err came to be.
func reasonOf(err error) string {
	if p, ok := errors.AsType[*problem](err); ok {
		return p.reason
	}
	return exchange.RevocationStore // all else is about files
}
