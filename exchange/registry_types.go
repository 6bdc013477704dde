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
	// Certificates are those the agency signs with; several overlap during a
	// rotation.
	Certificates []Certificate `json:"certificates,omitempty"`
	// Closed is when the agency ceased; zero while it works.
	Closed time.Time `json:"closed,omitzero"`
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
	Until   time.Time `json:"until,omitzero"` // not after, by the registry; zero: by the certificate
}

// Holds reports whether the certificate with this digest is registered for the
// agency at the time.
func (a Agency) Holds(d Digest, at time.Time) bool {
	return slices.ContainsFunc(a.Certificates, func(c Certificate) bool {
		return c.SHA256 == d && (c.Until.IsZero() || at.Before(c.Until))
	})
}

// Signs reports whether the agency must sign.
func (a Agency) Signs() bool { return a.Policy != IfPresent }

// System is software that connects for one or more agencies.
type System struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Agencies are the canonical codes it speaks for.
	Agencies []string `json:"agencies"`
	// Secrets are digests of the secrets it may present; two overlap during a
	// rotation.
	Secrets []Secret `json:"secrets,omitempty"`
	// Certificates are SHA-256 digests of the client certificates it may
	// present.
	Certificates []Digest `json:"certificates,omitempty"`
	Disabled     bool     `json:"disabled,omitempty"`
	Version      int64    `json:"version"`
}

// Secret is the digest of a random 256-bit secret, and until when it is taken;
// zero means for ever.
type Secret struct {
	SHA256 Digest    `json:"sha256"`
	Until  time.Time `json:"until,omitzero"`
}

// Role is what a person may do.
type Role string

const (
	// Operator watches deliveries and may hold, release, retry and cancel them.
	Operator Role = "operator"
	// Auditor reads everything but contents, and changes nothing.
	Auditor Role = "auditor"
	// Administrator does what an operator does, and keeps the registry.
	Administrator Role = "administrator"
)

// User is a person who operates, administers or audits the hub.
type User struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Role     Role     `json:"role"`
	Secrets  []Secret `json:"secrets,omitempty"`
	Disabled bool     `json:"disabled,omitempty"`
	Version  int64    `json:"version"`
}

// Caller is who asks: a system or a person, authenticated. The zero Caller is
// the public.
type Caller struct {
	System *System
	User   *User
}

// Speaks reports whether the caller is a system of the agency.
func (c Caller) Speaks(agency string) bool {
	return c.System != nil && slices.Contains(c.System.Agencies, agency)
}

// Watches reports whether the caller is a person, and so may see every
// package's state and receipts.
func (c Caller) Watches() bool { return c.User != nil }

// Operates reports whether the caller may act on deliveries.
func (c Caller) Operates() bool {
	return c.User != nil && (c.User.Role == Operator || c.User.Role == Administrator)
}

// Administers reports whether the caller may change the registry.
func (c Caller) Administers() bool { return c.User != nil && c.User.Role == Administrator }

// String names the caller for the log and for actions: "system:ID", "user:ID".
func (c Caller) String() string {
	if c.System != nil {
		return "system:" + c.System.ID
	}
	if c.User != nil {
		return "user:" + c.User.ID
	}
	return "public"
}
