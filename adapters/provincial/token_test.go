package provincial

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"tram/exchange"
)

func TestTokens(t *testing.T) {
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, exchange.Vietnam)
	tk := tokens{bytes.Repeat([]byte("k"), 32), func() time.Time { return now }}
	token, expires, err := tk.issue("qlvb-h12")
	if err != nil || !expires.Equal(now.Add(tokenTerm)) {
		t.Fatalf("expires %s: %v", expires, err)
	}
	rule := func(token string) string {
		_, err := tk.systemOf(token)
		var e *exchange.Error
		if errors.As(err, &e) {
			return e.Rule.Name
		}
		return ""
	}
	if id, err := tk.systemOf(token); err != nil || id != "qlvb-h12" {
		t.Errorf("%q, %v", id, err)
	}
	now = now.Add(tokenTerm - time.Second)
	if got := rule(token); got != "" {
		t.Errorf("a second before its end: %s", got)
	}
	now = now.Add(time.Second)
	if got := rule(token); got != expiredToken.Name {
		t.Errorf("at its end: %q", got)
	}
	now = now.Add(-time.Minute)
	other := tokens{bytes.Repeat([]byte("o"), 32), tk.now}
	foreign, _, _ := other.issue("qlvb-h12")
	parts := strings.Split(token, ".")
	for name, bad := range map[string]string{"empty": "", "dots": "..", "of another key": foreign, "without its signature": parts[0] + "." + parts[1] + ".",
		"of other parts": parts[0] + "." + strings.Split(foreign, ".")[1] + "x." + parts[2]} {
		if got := rule(bad); got != badToken.Name {
			t.Errorf("%s: %q", name, got)
		}
	}
	if err := quick.Check(func(garbage string) bool { return rule(garbage) == badToken.Name }, nil); err != nil {
		t.Error(err)
	}
}
