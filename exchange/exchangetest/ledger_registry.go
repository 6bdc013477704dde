package exchangetest

import (
	"fmt"

	"tram/exchange"
)

func certificate(n byte) exchange.Certificate {
	return exchange.Certificate{DER: []byte{n}, SHA256: exchange.DigestOf([]byte{n}), Subject: fmt.Sprint("CN=", n)}
}

func (t *ledgerTest) agencies() {
	a := exchange.Agency{Code: "H12.07", Name: "Sở Nội vụ", Certificates: []exchange.Certificate{certificate(1), certificate(2)},
		Aliases: []exchange.Alias{{Code: "000.00.07.H12"}, {Code: "H12.70", Until: t.start}}, Closed: t.start}
	t.mustUpdate(exchange.Change{Agencies: []exchange.Agency{a}, Actions: []exchange.Action{t.Action("put-agency", a.Code)}}, nil)
	a.Version = 1
	for _, code := range []string{"H12.07", "000.00.07.H12", "H12.70"} {
		got, err := t.Agency(t.Context(), code)
		t.equal(code, must(t, got, err), a)
	}
	for _, c := range a.Certificates {
		got, err := t.AgencyOfCertificate(t.Context(), c.SHA256)
		t.equal(c.Subject, must(t, got, err), a)
	}
	gone := a.Certificates[0].SHA256
	a.Aliases, a.Certificates = a.Aliases[:1], a.Certificates[1:]
	t.mustUpdate(exchange.Change{Agencies: []exchange.Agency{a}}, nil)
	_, err := t.Agency(t.Context(), "H12.70")
	t.code(err, exchange.NotFound)
	_, err = t.AgencyOfCertificate(t.Context(), gone)
	t.code(err, exchange.NotFound)

	want := []string{"H12.07"}
	for n := range 12 {
		code := fmt.Sprintf("H12.1%02d", n)
		t.mustUpdate(exchange.Change{Agencies: []exchange.Agency{{Code: code}}}, nil)
		want = append(want, code)
	}
	for _, limit := range []int{1, 5, 13, 100} {
		list, err := allAgencies(t.Context(), t.Ledger, limit)
		t.equal(fmt.Sprint("agencies by ", limit), ids(must(t, list, err), func(a exchange.Agency) string { return a.Code }), want)
	}
}

func (t *ledgerTest) taken() {
	t.mustUpdate(exchange.Change{Agencies: []exchange.Agency{
		{Code: "A", Aliases: []exchange.Alias{{Code: "a"}, {Code: "a", From: t.start}}, Certificates: []exchange.Certificate{certificate(1)}},
		{Code: "B"}}, Systems: []exchange.System{{ID: "s", Certificates: []exchange.Digest{{1}}}}}, nil)
	before := t.snapshot()
	for name, c := range map[string]exchange.Change{
		"code is another's alias":      {Agencies: []exchange.Agency{{Code: "a"}}},
		"alias is another's code":      {Agencies: []exchange.Agency{{Code: "B", Version: 1, Aliases: []exchange.Alias{{Code: "A"}}}}},
		"alias is another's alias":     {Agencies: []exchange.Agency{{Code: "C", Aliases: []exchange.Alias{{Code: "a"}}}}},
		"certificate is another's":     {Agencies: []exchange.Agency{{Code: "B", Version: 1, Certificates: []exchange.Certificate{certificate(1)}}}},
		"two claim an alias at once":   {Agencies: []exchange.Agency{{Code: "C", Aliases: []exchange.Alias{{Code: "c"}}}, {Code: "D", Aliases: []exchange.Alias{{Code: "c"}}}}},
		"alias is a new one's code":    {Agencies: []exchange.Agency{{Code: "C", Aliases: []exchange.Alias{{Code: "D"}}}, {Code: "D"}}},
		"system's certificate is used": {Systems: []exchange.System{{ID: "t", Certificates: []exchange.Digest{{1}}}}},
	} {
		c.Actions = []exchange.Action{t.Action("put", name)}
		if err := t.Update(t.Context(), c); exchange.CodeOf(err) != exchange.Conflict {
			t.Errorf("%s: got %v, want a conflict", name, err)
		}
	}
	t.unchanged(before)
}

func (t *ledgerTest) moved() {
	a := exchange.Agency{Code: "A", Aliases: []exchange.Alias{{Code: "x"}}, Certificates: []exchange.Certificate{certificate(1)}}
	b := exchange.Agency{Code: "B", Aliases: []exchange.Alias{{Code: "y"}}, Certificates: []exchange.Certificate{certificate(2)}}
	t.mustUpdate(exchange.Change{Agencies: []exchange.Agency{a, b}}, nil)
	a.Version, b.Version = 1, 1
	a.Aliases, b.Aliases = b.Aliases, a.Aliases
	a.Certificates, b.Certificates = nil, append(b.Certificates, certificate(1))
	t.mustUpdate(exchange.Change{Agencies: []exchange.Agency{b, a}}, nil)
	for code, owner := range map[string]string{"x": "B", "y": "A", "A": "A", "B": "B"} {
		got, err := t.Agency(t.Context(), code)
		t.equal("owner of "+code, must(t, got, err).Code, owner)
	}
	got, err := t.AgencyOfCertificate(t.Context(), certificate(1).SHA256)
	t.equal("owner of the certificate", must(t, got, err).Code, "B")
	a.Version, a.Aliases = 2, nil
	t.mustUpdate(exchange.Change{Agencies: []exchange.Agency{a}}, nil)
	t.mustUpdate(exchange.Change{Agencies: []exchange.Agency{{Code: "y"}}}, nil) // free now
}
