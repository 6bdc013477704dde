package exchange

import (
	"slices"
	"time"
)

// SignaturePolicy says what the hub asks of an agency's packages and
// acknowledgements. A signature that is present and does not hold is always
// refused.
type SignaturePolicy string

const (
	// Required refuses what is not signed. It is the default.
	Required SignaturePolicy = "required"
	// IfPresent lets the authenticated system's submission stand in for a
	// signature; the receipt says that it did.
	IfPresent SignaturePolicy = "if-present"
)

// DeliveryMode says how an agency gets its packages.
type DeliveryMode string

const (
	// Pull agencies look into their inbox. It is the default.
	Pull DeliveryMode = "pull"
	// Push agencies are told of each delivery by a signed webhook request and
	// fetch the package then.
	Push DeliveryMode = "push"
	// Relayed agencies live at another axis, which the hub hands their packages to.
	// No system of this hub speaks for them.
	Relayed DeliveryMode = "relay"
)

// Agency is an organisation that sends and receives packages.
type Agency struct {
	// Code is the canonical code, for example "H12.07".
	Code string `json:"code"`
	Name string `json:"name"`
	// Parent is the code of the agency in charge, if any.
	Parent string `json:"parent,omitempty"`
	// Aliases are other codes the agency is known by: the old form
	// "000.00.07.H12", or codes of agencies merged into it.
	Aliases []Alias `json:"aliases,omitempty"`
	// Policy is Required when empty.
	Policy SignaturePolicy `json:"policy,omitempty"`
	// Mode is Pull when empty.
	Mode DeliveryMode `json:"mode,omitempty"`
	// Webhook is the URL that Push deliveries are announced to.
	Webhook string `json:"webhook,omitempty"`
	// Upstream is the name of the axis that a Relayed agency lives at.
	Upstream string `json:"upstream,omitempty"`
	// Certificates are those the agency signs with; several overlap during a
	// rotation.
	Certificates []Certificate `json:"certificates,omitempty"`
	// SHA1Until is the time until which packages of the agency may rest on SHA-1,
	// as old software signs them; zero: they may not. Receipts say where one does.
	SHA1Until time.Time `json:"sha1Until,omitzero"`
	// SubjectRules take certificates by their subject, for authorities that
	// issue new ones without anyone telling the hub.
	SubjectRules []SubjectRule `json:"subjectRules,omitempty"`
	// Closed is when the agency ceased; zero while it works.
	Closed time.Time `json:"closed,omitzero"`
	// Successor is the code of the agency that it was merged into. From Closed on
	// that one's systems answer for it, and its certificates sign for it.
	Successor string `json:"successor,omitempty"`
	// Merged are the codes of agencies that were merged into this one: what is
	// still open for them is in its inbox.
	Merged []string `json:"merged,omitempty"`
	// Mail, Phone and Address are for people who look it up.
	Mail    string `json:"mail,omitempty"`
	Phone   string `json:"phone,omitempty"`
	Address string `json:"address,omitempty"`
	// Version counts changes; 0 is an entry not yet kept.
	Version int64 `json:"version"`
}

// Alias is another code of an agency, valid From until Until; zero means open.
type Alias struct {
	Code  string    `json:"code"`
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Certificate is an X.509 certificate registered for an agency.
type Certificate struct {
	DER     []byte    `json:"der"`
	SHA256  Digest    `json:"sha256"`
	Subject string    `json:"subject"`
	From    time.Time `json:"from,omitzero"`  // not before, by the registry; zero: by the certificate
	Until   time.Time `json:"until,omitzero"` // not after, likewise
}

// Holds reports whether the certificate with this digest is registered for the
// agency at the time.
func (a Agency) Holds(d Digest, at time.Time) bool {
	return slices.ContainsFunc(a.Certificates, func(c Certificate) bool { return c.SHA256 == d && inForce(c.From, c.Until, at) })
}

// inForce reports whether at is from one time, until another; zero means open.
func inForce(from, until, at time.Time) bool {
	return !at.Before(from) && !over(until, at)
}

// over reports whether what lasts until a time is over at another; zero: it has no
// end.
func over(until, at time.Time) bool { return !until.IsZero() && !at.Before(until) }

// canonical is the code that the agency is kept under, if code is one of its
// own; any other stays as it is.
func (a Agency) canonical(code string) string {
	if slices.ContainsFunc(a.Aliases, func(o Alias) bool { return o.Code == code }) {
		return a.Code
	}
	return code
}

// succeededBy reports whether another agency has taken this one's place.
func (a Agency) succeededBy(other Agency, at time.Time) bool {
	return a.Successor == other.Code && over(a.Closed, at)
}

// MaySHA1 reports whether the agency's packages may rest on SHA-1 at the time.
func (a Agency) MaySHA1(at time.Time) bool { return at.Before(a.SHA1Until) }

// Signs reports whether the agency must sign.
func (a Agency) Signs() bool { return a.Policy != IfPresent }
