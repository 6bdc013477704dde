package exchange_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"tram/exchange"
)

// TestNewNamesWhatIsMissing leaves out one field after the other.
func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	for _, name := range []string{"Hub.Code", "Hub.Name", "Hub.Policy", "Origin", "Ledger", "Vault", "Queue", "Courier", "Format", "Trust", "Seals", "LogKey"} {
		c := p.config()
		v := reflect.ValueOf(&c).Elem()
		for _, field := range strings.Split(name, ".") {
			v = v.FieldByName(field)
		}
		v.SetZero()
		if _, err := exchange.New(c); err == nil || !strings.Contains(err.Error(), name+" is not set") {
			t.Errorf("without %s: %v", name, err)
		}
	}
	c := p.config()
	c.Retry, c.Deadline, c.Now, c.Random, c.Log = exchange.RetryPolicy{}, 0, nil, nil, nil
	if _, err := exchange.New(c); err != nil {
		t.Errorf("with what has a default left out: %v", err)
	}
}

func TestAgenciesRefused(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	good := exchange.Agency{Code: "H12.70", Name: "Sở Nội vụ"}
	for _, c := range []struct {
		name   string
		change func(*exchange.Agency)
		code   exchange.Code
		rule   string
	}{
		{"no name", func(a *exchange.Agency) { a.Name = "" }, exchange.Malformed, "invalid-entry"},
		{"no code", func(a *exchange.Agency) { a.Code = "" }, exchange.Malformed, "invalid-entry"},
		{"a code in small letters", func(a *exchange.Agency) { a.Code = "h12.70" }, exchange.Malformed, "invalid-entry"},
		{"a code with a space", func(a *exchange.Agency) { a.Code = "H12. 70" }, exchange.Malformed, "invalid-entry"},
		{"a code that ends in a dot", func(a *exchange.Agency) { a.Code = "H12." }, exchange.Malformed, "invalid-entry"},
		{"a code of 36 characters", func(a *exchange.Agency) { a.Code = strings.Repeat("A", 36) }, exchange.Malformed, "invalid-entry"},
		{"an alias that is no code", func(a *exchange.Agency) { a.Aliases = []exchange.Alias{{Code: "Sở Nội vụ"}} }, exchange.Malformed, "invalid-entry"},
		{"another policy", func(a *exchange.Agency) { a.Policy = "ignore" }, exchange.Malformed, "invalid-entry"},
		{"another mode", func(a *exchange.Agency) { a.Mode = "mail" }, exchange.Malformed, "invalid-entry"},
		{"push to nowhere", func(a *exchange.Agency) { a.Mode = exchange.Push }, exchange.Malformed, "invalid-entry"},
		{"push to no host", func(a *exchange.Agency) { a.Mode, a.Webhook = exchange.Push, "https:///x" }, exchange.Malformed, "invalid-entry"},
		{"push to a file", func(a *exchange.Agency) { a.Mode, a.Webhook = exchange.Push, "file://host/etc/passwd" }, exchange.Malformed, "invalid-entry"},
		{"a certificate that is none", func(a *exchange.Agency) { a.Certificates = []exchange.Certificate{{DER: []byte("x")}} }, exchange.Malformed, "invalid-entry"},
		{"another's certificate", func(a *exchange.Agency) {
			a.Certificates = []exchange.Certificate{{DER: holders()[health].chain[0].Raw}}
		}, exchange.Conflict, "certificate-taken"},
		{"another's code", func(a *exchange.Agency) { a.Aliases = []exchange.Alias{{Code: health}} }, exchange.Conflict, "code-taken"},
		{"another's alias", func(a *exchange.Agency) { a.Code = "000.00.12.H12" }, exchange.Conflict, "code-taken"},
		{"a version that is not the one kept", func(a *exchange.Agency) { a.Code = health }, exchange.Conflict, "changed-meanwhile"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := good
			c.change(&a)
			_, err := p.x.PutAgency(t.Context(), administrator, a)
			refused(t, err, c.code, c.rule)
		})
	}
	for _, by := range []exchange.Caller{{}, operator, auditor, system(finance)} {
		_, err := p.x.PutAgency(t.Context(), by, good)
		refused(t, err, exchange.NotPermitted, "not-permitted")
	}
}

// TestARegistryChangeIsALeaf whose digest is of the entry as it became.
func TestARegistryChangeIsALeaf(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	a, err := p.x.PutAgency(t.Context(), administrator, exchange.Agency{Code: "H12.70", Name: "Sở Nội vụ"})
	if err != nil || a.Version != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	a.Name = "Sở Nội vụ tỉnh"
	if a, err = p.x.PutAgency(t.Context(), administrator, a); err != nil || a.Version != 2 {
		t.Fatalf("%+v, %v", a, err)
	}
	kept, err := p.x.Agency(t.Context(), "H12.70")
	if err != nil || kept.Name != a.Name || kept.Version != a.Version {
		t.Fatalf("kept as %+v, %v", kept, err)
	}
	e := p.lastLeaf()
	if e.Event != "put-agency" || e.Actor != "user:an" || e.Object != "H12.70" {
		t.Errorf("the leaf is %+v", e)
	}
	entry := exchange.DigestOf(must(json.Marshal(kept)))
	action := exchange.Action{ID: e.ID, Time: e.Time, Actor: e.Actor, Verb: e.Event, Object: e.Object, Entry: entry}
	if action.LogEntry().SHA256 != e.SHA256 {
		t.Error("the leaf is not of the entry as it is kept")
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	if _, err := p.x.PutUser(t.Context(), administrator, exchange.User{ID: "binh", Name: "Bình", Role: exchange.Operator}); err != nil {
		t.Fatal(err)
	}
	for _, by := range []exchange.Caller{{}, operator, auditor, system(finance)} {
		_, err := p.x.IssueSystemSecret(t.Context(), by, "sys-H12.07")
		refused(t, err, exchange.NotPermitted, "not-permitted")
		_, err = p.x.IssueUserSecret(t.Context(), by, "binh")
		refused(t, err, exchange.NotPermitted, "not-permitted")
	}
	issue := func() (string, string) {
		t.Helper()
		s, err := p.x.IssueSystemSecret(t.Context(), administrator, "sys-H12.07")
		if err != nil {
			t.Fatal(err)
		}
		u, err := p.x.IssueUserSecret(t.Context(), administrator, "binh")
		if err != nil {
			t.Fatal(err)
		}
		return s, u
	}
	works := func(system, user string, want bool) {
		t.Helper()
		s, serr := p.x.AuthenticateSystem(t.Context(), "sys-H12.07", system)
		u, uerr := p.x.AuthenticateUser(t.Context(), "binh", user)
		if want {
			if serr != nil || uerr != nil || !s.Speaks(finance) || !u.Operates() {
				t.Errorf("system %v, %v; user %v, %v", s, serr, u, uerr)
			}
			return
		}
		refused(t, serr, exchange.Unauthenticated, "bad-credentials")
		refused(t, uerr, exchange.Unauthenticated, "bad-credentials")
	}
	works("", "", false)
	s1, u1 := issue()
	works(s1, u1, true)
	works(u1, s1, false)
	works(s1+"x", u1+"x", false)
	s2, u2 := issue()
	works(s1, u1, true)
	works(s2, u2, true)
	p.clock.advance(7 * 24 * time.Hour)
	works(s1, u1, false)
	works(s2, u2, true)

	_, err := p.x.AuthenticateSystem(t.Context(), "sys-none", s2)
	refused(t, err, exchange.Unauthenticated, "bad-credentials")
	sys := must(p.ledger.System(t.Context(), "sys-H12.07"))
	sys.Secrets, sys.Disabled = nil, true // secrets are not to be changed this way
	if _, err := p.x.PutSystem(t.Context(), administrator, sys); err != nil {
		t.Fatal(err)
	}
	_, err = p.x.AuthenticateSystem(t.Context(), "sys-H12.07", s2)
	refused(t, err, exchange.NotPermitted, "disabled")
	if leaf := p.lastLeaf(); leaf.Event != "put-system" || strings.Contains(string(leaf.Bytes()), s2) {
		t.Errorf("the leaf is %+v", leaf)
	}
}

func TestSystemsAreKnownByTheirCertificates(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	sys := must(p.ledger.System(t.Context(), "sys-H12.12"))
	digest := exchange.DigestOf([]byte("client certificate"))
	sys.Certificates = []exchange.Digest{digest}
	if _, err := p.x.PutSystem(t.Context(), administrator, sys); err != nil {
		t.Fatal(err)
	}
	by, err := p.x.SystemOfCertificate(t.Context(), digest)
	if err != nil || !by.Speaks(health) || by.Speaks(finance) || by.Watches() || by.String() != "system:sys-H12.12" {
		t.Errorf("%v, %v", by, err)
	}
	_, err = p.x.SystemOfCertificate(t.Context(), exchange.DigestOf(nil))
	refused(t, err, exchange.Unauthenticated, "bad-credentials")
	other := must(p.ledger.System(t.Context(), "sys-H12.40"))
	other.Certificates = []exchange.Digest{digest}
	_, err = p.x.PutSystem(t.Context(), administrator, other)
	refused(t, err, exchange.Conflict, "certificate-taken")
}

func TestSystemsAndUsersRefused(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	for name, s := range map[string]exchange.System{
		"no identifier":             {ID: "", Agencies: []string{health}},
		"an identifier with a zero": {ID: "a\x00b", Agencies: []string{health}},
		"an agency by its alias":    {ID: "x", Agencies: []string{"000.00.12.H12"}},
		"an agency not registered":  {ID: "x", Agencies: []string{"H12.99"}},
	} {
		_, err := p.x.PutSystem(t.Context(), administrator, s)
		if exchange.CodeOf(err) != exchange.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, u := range map[string]exchange.User{"no role": {ID: "x"}, "another role": {ID: "x", Role: "root"}, "an identifier with a colon": {ID: "user:x", Role: exchange.Auditor}} {
		_, err := p.x.PutUser(t.Context(), administrator, u)
		if exchange.CodeOf(err) != exchange.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, by := range []exchange.Caller{{}, operator, auditor, system(finance)} {
		_, err := p.x.PutSystem(t.Context(), by, exchange.System{ID: "x"})
		refused(t, err, exchange.NotPermitted, "not-permitted")
		_, err = p.x.PutUser(t.Context(), by, exchange.User{ID: "x", Role: exchange.Administrator})
		refused(t, err, exchange.NotPermitted, "not-permitted")
		if _, err = p.x.Users(t.Context(), by); err == nil {
			t.Errorf("%s lists users", by)
		}
	}
	if _, err := p.x.Systems(t.Context(), system(finance)); err == nil {
		t.Error("a system lists systems")
	}
	if list, err := p.x.Systems(t.Context(), auditor); err != nil || len(list) != 6 {
		t.Errorf("%d systems, %v", len(list), err)
	}
}
