package exchange_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
	"tram/signing"
)

// named is a holder whose subject has what authorities write for organisations.
func named(by holder, names ...pkix.AttributeTypeAndValue) holder {
	return certify(by, "", func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "Sở Tài chính", Organization: []string{"Tỉnh Ví Dụ", "Sở; Tài chính"}, SerialNumber: "MST:0100",
			ExtraNames: names}
	})
}

var organizationIdentifier = asn1.ObjectIdentifier{2, 5, 4, 97}

// rule is a subject rule as it is written on a command line.
func rule(t testing.TB, text string) exchange.SubjectRule {
	t.Helper()
	attributes, err := exchange.ParseSubject(text)
	if err != nil {
		t.Fatal(err)
	}
	return exchange.SubjectRule{Subject: attributes}
}

func TestSubjectRules(t *testing.T) {
	t.Parallel()
	middle := certify(authority(), "Trung gian", func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	leaf := named(middle, pkix.AttributeTypeAndValue{Type: organizationIdentifier, Value: "VATVN-0100"},
		pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99}, Value: "own"})
	chain := []*x509.Certificate{leaf.chain[0], middle.chain[0], authority().chain[0]}
	for _, c := range []struct {
		name, subject, issuer string
		from, until           time.Time
		want                  bool
	}{
		{"one attribute", "SERIALNUMBER=MST:0100", "", time.Time{}, time.Time{}, true},
		{"all of several", `O=Tỉnh Ví Dụ;O=Sở\; Tài chính;CN=Sở Tài chính`, "", time.Time{}, time.Time{}, true},
		{"a type in other letters", "serialNumber=MST:0100;Cn=Sở Tài chính", "", time.Time{}, time.Time{}, true},
		{"a type by its identifier", "2.5.4.5=MST:0100", "", time.Time{}, time.Time{}, true},
		{"the organisation's identifier", "organizationIdentifier=VATVN-0100", "", time.Time{}, time.Time{}, true},
		{"a type without a name", "O=Tỉnh Ví Dụ;1.3.6.1.4.1.99=own", "", time.Time{}, time.Time{}, true},
		{"one of two is not there", "SERIALNUMBER=MST:0100;OU=Phòng", "", time.Time{}, time.Time{}, false},
		{"another value", "SERIALNUMBER=MST:0101", "", time.Time{}, time.Time{}, false},
		{"a part of the value", "SERIALNUMBER=MST:010", "", time.Time{}, time.Time{}, false},
		{"the value of another type", "OU=Tỉnh Ví Dụ", "", time.Time{}, time.Time{}, false},
		{"other letters", "CN=sở tài chính", "", time.Time{}, time.Time{}, false},
		{"letters in pieces", "CN=Sơ\u0309 Ta\u0300i chi\u0301nh", "", time.Time{}, time.Time{}, false},
		{"white space around", "CN= Sở Tài chính", "", time.Time{}, time.Time{}, false},
		{"its issuer's subject", "SERIALNUMBER=MST:0100", middle.chain[0].Subject.String(), time.Time{}, time.Time{}, true},
		{"its issuer's digest", "SERIALNUMBER=MST:0100", exchange.DigestOf(middle.chain[0].Raw).String(), time.Time{}, time.Time{}, true},
		{"the root is not its issuer", "SERIALNUMBER=MST:0100", exchange.DigestOf(authority().chain[0].Raw).String(), time.Time{}, time.Time{}, false},
		{"at its beginning", "SERIALNUMBER=MST:0100", "", start, time.Time{}, true},
		{"before it", "SERIALNUMBER=MST:0100", "", start.Add(1), time.Time{}, false},
		{"at its end", "SERIALNUMBER=MST:0100", "", time.Time{}, start, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProvince(t)
			r := rule(t, c.subject)
			r.Issuer, r.From, r.Until = c.issuer, c.from, c.until
			a := must(p.ledger.Agency(t.Context(), finance))
			a.SubjectRules = []exchange.SubjectRule{r}
			a = must(p.x.PutAgency(t.Context(), administrator, a))
			if got := a.SubjectRules[0].Matches(chain, start); got != c.want {
				t.Errorf("matches: %v", got)
			}
			_, err := p.x.Submit(t.Context(), system(finance), bytes.NewReader(signedBy(t, document("1250", health), holder{leaf.key, chain[:2]})))
			if c.want && err != nil {
				t.Error(err)
			}
			if !c.want {
				refused(t, err, exchange.Untrusted, "certificate-not-registered")
			}
		})
	}
}

// signedBy is a package signed by a holder who is not among the agencies'.
func signedBy(t testing.TB, d edxml.Document, h holder) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := signing.Sign(&b, bytes.NewReader(unsigned(t, d)), h.key, h.chain, edxml.SignaturePlace()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (p *province) ruled(code string, rules ...exchange.SubjectRule) error {
	p.Helper()
	a := must(p.ledger.Agency(p.Context(), code))
	a.SubjectRules = rules
	_, err := p.x.PutAgency(p.Context(), administrator, a)
	return err
}

func TestWhoACertificateBelongsTo(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	leaf := named(authority())
	submit := func(from, number string) error {
		d := document(number, commune)
		d.From, d.ID = p.organ(from), ""
		_, err := p.x.Submit(t.Context(), system(from), bytes.NewReader(signedBy(t, d, leaf)))
		return err
	}
	organ := rule(t, "O=Tỉnh Ví Dụ")
	serial := rule(t, "SERIALNUMBER=MST:0100")
	if err := p.ruled(finance, serial); err != nil {
		t.Fatal(err)
	}
	if err := submit(finance, "1"); err != nil {
		t.Fatal(err)
	}
	if b := p.evidence(p.last(), "", exchange.SubmissionAcceptance).Basis; b.Matched != exchange.MatchedSubject || b.Subject != leaf.chain[0].Subject.String() || b.Certificate != exchange.DigestOf(leaf.chain[0].Raw) {
		t.Errorf("the receipt rests on %+v", b)
	}
	refused(t, submit(health, "2"), exchange.NotPermitted, "signer-not-sender")

	// Two rules that have nothing in common both fit.
	if err := p.ruled(health, organ); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{finance, health} {
		e := refused(t, submit(from, "3"), exchange.Untrusted, "subject-rule-ambiguous")
		if !strings.Contains(e.Text("vi"), finance) || !strings.Contains(e.Text("vi"), health) {
			t.Errorf("says %q", e.Text("vi"))
		}
	}

	// Registered is registered, whatever rules say.
	w := must(p.ledger.Agency(t.Context(), ward))
	w.Certificates = append(w.Certificates, exchange.Certificate{DER: leaf.chain[0].Raw})
	w = must(p.x.PutAgency(t.Context(), administrator, w))
	for _, from := range []string{finance, health} {
		e := refused(t, submit(from, "4"), exchange.NotPermitted, "signer-not-sender")
		if !strings.Contains(e.Text("en"), ward) {
			t.Errorf("says %q", e.Text("en"))
		}
	}
	if err := submit(ward, "5"); err != nil {
		t.Error(err)
	}
	// And what was registered and has ended is not brought back by a rule.
	w.SubjectRules = []exchange.SubjectRule{rule(t, "CN=Sở Tài chính")}
	w.Certificates[len(w.Certificates)-1].Until = start
	must(p.x.PutAgency(t.Context(), administrator, w))
	refused(t, submit(ward, "6"), exchange.Untrusted, "certificate-not-registered")
}

// last is the newest package.
func (p *province) last() exchange.PackageID {
	p.Helper()
	list, _, err := p.ledger.Packages(p.Context(), exchange.PackageQuery{Limit: 1})
	if err != nil || len(list) != 1 {
		p.Fatalf("%v, %v", list, err)
	}
	return list[0].ID
}

// TestRulesThatTakeTheSame are refused when they are put.
func TestRulesThatTakeTheSame(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	theirs := rule(t, "O=Sở;SERIALNUMBER=1")
	theirs.Issuer, theirs.From, theirs.Until = "CN=A", start, start.AddDate(1, 0, 0)
	if err := p.ruled(health, theirs); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, subject string
		alter         func(*exchange.SubjectRule)
		taken         bool
	}{
		{"the same", "O=Sở;SERIALNUMBER=1", nil, true},
		{"in another order and writing", "2.5.4.5=1;o=Sở", nil, true},
		{"a wider one", "O=Sở", nil, true},
		{"a narrower one", "O=Sở;SERIALNUMBER=1;C=VN", nil, true},
		{"one that differs", "O=Sở;SERIALNUMBER=2", nil, false},
		{"of another issuer", "O=Sở;SERIALNUMBER=1", func(r *exchange.SubjectRule) { r.Issuer = "CN=B" }, false},
		{"of the same issuer", "O=Sở;SERIALNUMBER=1", func(r *exchange.SubjectRule) { r.Issuer = "CN=A" }, true},
		{"after it", "O=Sở;SERIALNUMBER=1", func(r *exchange.SubjectRule) { r.From = start.AddDate(1, 0, 0) }, false},
		{"before it", "O=Sở;SERIALNUMBER=1", func(r *exchange.SubjectRule) { r.Until = start }, false},
		{"at its end", "O=Sở;SERIALNUMBER=1", func(r *exchange.SubjectRule) { r.From = start.AddDate(1, 0, -1) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rule(t, c.subject)
			if c.alter != nil {
				c.alter(&r)
			}
			err := p.ruled(finance, rule(t, "O=Khác"), r)
			if c.taken {
				if e := refused(t, err, exchange.Conflict, "subject-rule-taken"); !strings.Contains(e.Text("vi"), health) || !strings.Contains(e.Text("vi"), "Sở") {
					t.Errorf("says %q", e.Text("vi"))
				}
				return
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := p.ruled(finance); err != nil {
		t.Error(err)
	}
	if err := p.ruled(health, theirs, rule(t, "O=Sở;SERIALNUMBER=1;C=VN")); err != nil {
		t.Errorf("two of one agency: %v", err)
	}
}

func TestRulesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	long := strings.Repeat("ở", 257)
	for name, r := range map[string]exchange.SubjectRule{
		"nothing in it":           {},
		"too many attributes":     {Subject: slices.Repeat([]exchange.Attribute{{Type: "O", Value: "x"}}, 11)},
		"a type of no sense":      rule(t, "NAME=x"),
		"a type of odd numbers":   rule(t, "2.05.4=x;O=x"),
		"an empty value":          rule(t, "O="),
		"a long value":            rule(t, "O="+long),
		"a control character":     rule(t, "O=a\x00b"),
		"not UTF-8":               rule(t, "O=a\xff"),
		"only what all have":      rule(t, "C=VN;L=Cà Mau"),
		"a term that ends before": {Subject: rule(t, "O=x").Subject, From: start, Until: start},
		"a long issuer":           {Subject: rule(t, "O=x").Subject, Issuer: strings.Repeat(long, 4)},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, p.ruled(finance, r), exchange.Malformed, "invalid-entry")
		})
	}
	refused(t, p.ruled(finance, slices.Repeat([]exchange.SubjectRule{rule(t, "O=x")}, 21)...), exchange.Malformed, "invalid-entry")
	if _, err := exchange.ParseSubject("O=x;y"); exchange.CodeOf(err) != exchange.Malformed {
		t.Errorf("what is no attribute: %v", err)
	}
	if text := rule(t, `O=a\;b\\;CN=x=y`).String(); text != `O=a\;b\\;CN=x=y` {
		t.Errorf("written again it is %q", text)
	}
}

// TestCertificatesOverlap: during a rotation both sign, before and after only one.
func TestCertificatesOverlap(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	next := certify(authority(), "kế tiếp", nil)
	a := must(p.ledger.Agency(t.Context(), finance))
	a.Certificates[0].Until = start.AddDate(0, 0, 30)
	a.Certificates = append(a.Certificates, exchange.Certificate{DER: next.chain[0].Raw, From: start.AddDate(0, 0, 1)})
	must(p.x.PutAgency(t.Context(), administrator, a))
	try := func(number string, h holder, want string) {
		t.Helper()
		_, err := p.x.Submit(t.Context(), system(finance), bytes.NewReader(signedBy(t, document(number, health), h)))
		if want == "" && err != nil {
			t.Error(err)
		}
		if want != "" {
			refused(t, err, exchange.Untrusted, want)
		}
	}
	old := holders()[finance]
	try("1", old, "")
	try("2", next, "certificate-not-registered")
	p.clock.advance(24 * time.Hour)
	try("3", old, "")
	try("4", next, "")
	p.clock.advance(29 * 24 * time.Hour)
	try("5", old, "certificate-not-registered")
	try("6", next, "")
	a = must(p.ledger.Agency(t.Context(), finance))
	a.Certificates[0].From = a.Certificates[0].Until
	_, err := p.x.PutAgency(t.Context(), administrator, a)
	refused(t, err, exchange.Malformed, "invalid-entry")
}
