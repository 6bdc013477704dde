package revocation

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"tram/exchange"
)

// Object identifiers below id-ce, 2.5.29, as their bytes (RFC 5280, 5.2 and 5.3;
// X.509, 9.5.2.8).
const (
	oidCRLNumber         = "\x55\x1d\x14"
	oidReasonCode        = "\x55\x1d\x15"
	oidInvalidityDate    = "\x55\x1d\x18"
	oidDelta             = "\x55\x1d\x1b"
	oidDistributionPoint = "\x55\x1d\x1c"
	oidCertificateIssuer = "\x55\x1d\x1d"
	oidAuthorityKey      = "\x55\x1d\x23"
	oidExpiredCerts      = "\x55\x1d\x3c"
)

// readExtensions refuses a list with an extension that changes what the list
// means and is not carried out here (RFC 5280, 5.2).
func (l *list) readExtensions(extensions []pkix.Extension) error {
	seen := map[string]bool{}
	for _, e := range extensions {
		oid := encoded(e)
		if seen[oid] {
			return because(exchange.CRLMalformed, "extension %v is there twice", e.Id)
		}
		seen[oid] = true
		if err := l.readExtension(oid, e); err != nil {
			return err
		}
	}
	return nil
}

// encoded is the content of the extension's object identifier, for those below
// id-ce; others are empty.
func encoded(e pkix.Extension) string {
	if len(e.Id) == 4 && e.Id[0] == 2 && e.Id[1] == 5 && e.Id[2] == 29 && e.Id[3] < 128 {
		return string([]byte{0x55, 0x1d, byte(e.Id[3])})
	}
	return e.Id.String()
}

func (l *list) readExtension(oid string, e pkix.Extension) error {
	value := cryptobyte.String(e.Value)
	switch oid {
	case oidCRLNumber, oidAuthorityKey: // crypto/x509 reads them
		return nil
	case oidDelta:
		return because(exchange.CRLDelta, "it is a delta CRL")
	case oidDistributionPoint:
		return l.scope.read(value)
	case oidExpiredCerts:
		if !value.ReadASN1GeneralizedTime(&l.keepsExpired) {
			return because(exchange.CRLMalformed, "expiredCertsOnCRL is no time")
		}
		return nil
	}
	if e.Critical {
		return because(exchange.CRLExtension, "critical extension %v is not known", e.Id)
	}
	return nil
}

// A scope is which certificates of its issuer a list is for: its issuing
// distribution point (RFC 5280, 5.2.5).
type scope struct {
	users, authorities bool
	named              bool
	urls               []string // of the distribution point, if it is named
}

func (s *scope) read(value cryptobyte.String) error {
	var point, name, reasons cryptobyte.String
	var attributes, indirect, someReasons bool
	ok := value.ReadASN1(&point, asn1.SEQUENCE) && value.Empty() &&
		point.ReadOptionalASN1(&name, &s.named, asn1.Tag(0).ContextSpecific().Constructed()) &&
		readFlag(&point, &s.users, 1) && readFlag(&point, &s.authorities, 2) &&
		point.ReadOptionalASN1(&reasons, &someReasons, asn1.Tag(3).ContextSpecific()) &&
		readFlag(&point, &indirect, 4) && readFlag(&point, &attributes, 5) && point.Empty()
	if !ok {
		return because(exchange.CRLMalformed, "its issuing distribution point cannot be read")
	}
	if indirect {
		return because(exchange.CRLIndirect, "it is an indirect CRL")
	}
	if someReasons {
		return because(exchange.CRLReasons, "it is for some reasons only")
	}
	if attributes {
		return because(exchange.CRLScope, "it is for attribute certificates only")
	}
	if s.named {
		s.urls = fullName(name)
	}
	return nil
}

// readFlag reads an implicitly tagged BOOLEAN DEFAULT FALSE.
func readFlag(s *cryptobyte.String, flag *bool, tag uint8) bool {
	var content cryptobyte.String
	var there bool
	if !s.ReadOptionalASN1(&content, &there, asn1.Tag(tag).ContextSpecific()) {
		return false
	}
	*flag = there && len(content) == 1 && content[0] != 0
	return !there || len(content) == 1
}

// fullName lists the URLs of a DistributionPointName; a name relative to the
// issuer has none, and so fits no certificate.
func fullName(name cryptobyte.String) []string {
	var names cryptobyte.String
	if !name.ReadASN1(&names, asn1.Tag(0).ContextSpecific().Constructed()) {
		return nil
	}
	var urls []string
	for !names.Empty() {
		var one cryptobyte.String
		var tag asn1.Tag
		if !names.ReadAnyASN1(&one, &tag) {
			return nil
		}
		if tag == asn1.Tag(6).ContextSpecific() { // uniformResourceIdentifier
			urls = append(urls, string(one))
		}
	}
	return urls
}

// covers returns nil if the list speaks of such a certificate (RFC 5280, 6.3.3 b).
func (s scope) covers(c *x509.Certificate) error {
	if s.users && c.IsCA {
		return because(exchange.CRLScope, "it is for users' certificates only")
	}
	if s.authorities && !c.IsCA {
		return because(exchange.CRLScope, "it is for authorities' certificates only")
	}
	if s.named && !slices.ContainsFunc(s.urls, func(url string) bool { return slices.Contains(c.CRLDistributionPoints, url) }) {
		return because(exchange.CRLScope, "it is for the distribution points %q, the certificate names %q", s.urls, c.CRLDistributionPoints)
	}
	return nil
}

// readExtensions reads a list entry's extensions (RFC 5280, 5.3).
func (e *entry) readExtensions(extensions cryptobyte.String) error {
	for !extensions.Empty() {
		var one, oid, value cryptobyte.String
		var critical bool
		ok := extensions.ReadASN1(&one, asn1.SEQUENCE) && one.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) &&
			(!one.PeekASN1Tag(asn1.BOOLEAN) || one.ReadASN1Boolean(&critical)) && one.ReadASN1(&value, asn1.OCTET_STRING) && one.Empty()
		if !ok {
			return because(exchange.CRLMalformed, "an entry's extension cannot be read")
		}
		if err := e.readExtension(string(oid), value, critical); err != nil {
			return err
		}
	}
	return nil
}

func (e *entry) readExtension(oid string, value cryptobyte.String, critical bool) error {
	switch oid {
	case oidReasonCode:
		var code int
		if !value.ReadASN1Enum(&code) || code < 0 || code > 255 {
			return because(exchange.CRLMalformed, "an entry's reason cannot be read")
		}
		e.reason = uint8(code)
		return nil
	case oidInvalidityDate:
		when, err := invalidity(value)
		e.invalid = when
		return err
	case oidCertificateIssuer:
		return because(exchange.CRLIndirect, "an entry is of another issuer")
	}
	if critical {
		return because(exchange.CRLExtension, "an entry's critical extension %x is not known", oid)
	}
	return nil
}

// invalidity reads an invalidityDate, which is the same in an OCSP response.
func invalidity(value cryptobyte.String) (int64, error) {
	var when time.Time
	if !value.ReadASN1GeneralizedTime(&when) {
		return 0, because(exchange.CRLMalformed, "an invalidity date cannot be read")
	}
	return when.Unix(), nil
}
