package main

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
)

// TestUnknownAuthority: the hub's own authority is what a new agency forgets.
func TestUnknownAuthority(t *testing.T) {
	err := fmt.Errorf("GET /v1/inbox: %w", x509.UnknownAuthorityError{})
	if f := (&program{}).failure(err); !strings.Contains(f.Error, "--roots") {
		t.Errorf("%q does not say how the authority is given", f.Error)
	}
}
