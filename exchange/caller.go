package exchange

import (
	"slices"
	"time"
)

// System is software that connects for one or more agencies.
type System struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Agencies are the canonical codes it speaks for.
	Agencies []string `json:"agencies"`
	// Secrets are digests of the secrets it may present; two overlap during a
	// rotation.
	Secrets []Secret `json:"secrets,omitempty"`
	// Shared are secrets that it signs its requests with, for protocols that ask
	// for that.
	Shared []SharedSecret `json:"shared,omitempty"`
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

func (s *Secret) end() *time.Time { return &s.Until }

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
	// Partial: of a package's recipients those count that are known, as the older
	// protocols have it; else one that is not known refuses the package.
	Partial bool
	// Upstream is the axis that the system submits for; empty for systems of this
	// hub's own agencies.
	Upstream string
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
