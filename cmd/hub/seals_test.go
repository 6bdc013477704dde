package main

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"tram/exchange"
	"tram/signing"
)

// TestCheckSealing: what "hub check" says of keys that seal, sealed, or will.
func TestCheckSealing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	day := 24 * time.Hour
	// seal is valid until an age, and begins at another.
	seal := func(name string, from, until time.Duration) exchange.Seal {
		key, err := newECKey()
		must(t, err)
		template := certificateTemplate(name, "", now, 0)
		template.NotAfter = now.Add(until)
		certificate, err := issuer{certificate: template, key: key}.issue(template, key.Public())
		must(t, err)
		s := exchange.Seal{Chain: []*x509.Certificate{certificate}}
		s.Sealer, err = signing.NewSealer(key, s.Chain)
		must(t, err)
		if from != 0 {
			s.From = now.Add(from)
		}
		return s
	}
	former := seal("former", 0, -day)
	former.Sealer = nil
	for _, c := range []struct {
		name  string
		seals []exchange.Seal
		want  []string // state and words of each
	}{
		{"one, for long", []exchange.Seal{seal("a", 0, 400*day+time.Hour)}, []string{"ok 400 days left"}},
		{"one, not for long", []exchange.Seal{seal("a", 0, 59*day)}, []string{"warning hub keys rotate makes the next key"}},
		{"one, expired", []exchange.Seal{seal("a", 0, -time.Minute)}, []string{"failed hub keys rotate begins with another"}},
		{"one, not for long, and the next", []exchange.Seal{seal("a", 0, 59*day), seal("b", 20*day, 900*day)}, []string{"ok 58 days left", "ok next, seals from"}},
		{"the next too late", []exchange.Seal{seal("a", 0, 59*day), seal("b", 60*day, 900*day)}, []string{"warning it expires before the next one begins", "ok next"}},
		{"the next expired by then", []exchange.Seal{seal("a", 0, 59*day), seal("b", 20*day, 19*day)}, []string{"ok 58 days left", "failed not valid when it is to begin"}},
		{"a former one", []exchange.Seal{former, seal("b", -day, 900*day)}, []string{"ok former, sealed until", "ok 899 days left"}},
		{"a former one with its key", []exchange.Seal{seal("a", 0, 10*day), seal("b", -day, 59*day)}, []string{"ok its key can be put away", "warning hub keys rotate"}},
	} {
		findings := checkSealing(c.seals, now)
		if len(findings) != len(c.want) {
			t.Errorf("%s: %+v, want %q", c.name, findings, c.want)
			continue
		}
		for i, f := range findings {
			state, words, _ := strings.Cut(c.want[i], " ")
			if said := fmt.Sprint(f.Detail, f.Do); f.State != state || !strings.Contains(said, words) {
				t.Errorf("%s: %+v, want %q", c.name, f, c.want[i])
			}
		}
	}
}
