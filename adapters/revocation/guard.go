package revocation

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// A guard decides on resolved addresses. The URLs come out of certificates: who
// writes those must not be able to have the hub's own neighbourhood called.
type guard struct{ allow []netip.Prefix }

type addressError struct{ address string }

func (e *addressError) Error() string { return fmt.Sprintf("address %s is not allowed", e.address) }

// control is called between resolving and connecting, for each address tried.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !g.allows(a.Addr()) {
		return &addressError{address}
	}
	return nil
}

func (g guard) allows(a netip.Addr) bool {
	a = reaches(a)
	if forbidden(a) {
		return false
	}
	if a.IsLoopback() {
		return slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Addr().IsLoopback() && p.Contains(a) })
	}
	return len(g.allow) == 0 || slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(a) })
}

// forbidden are addresses that are never called, whatever is listed: they lead
// to the machine's own neighbourhood or to a cloud provider's metadata service.
func forbidden(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() ||
		slices.ContainsFunc(neighbours, func(p netip.Prefix) bool { return p.Contains(a) })
}

// neighbours is never written.
var neighbours = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("255.255.255.255/32"),
	netip.MustParsePrefix("64:ff9b:1::/48"),     // leads where each network decides (RFC 8215, 3)
	netip.MustParsePrefix("fd00:ec2::254/128"),  // metadata: EC2, beside 169.254.169.254
	netip.MustParsePrefix("fd20:ce::254/128"),   // Google
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle
}

var (
	translated = netip.MustParsePrefix("64:ff9b::/96") // NAT64: RFC 6052, 2.1
	sixToFour  = netip.MustParsePrefix("2002::/16")    // RFC 3056, 2
)

// reaches is the IPv4 address that an IPv6 address stands for, or the address.
func reaches(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	b := a.As16()
	if translated.Contains(a) {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	if sixToFour.Contains(a) {
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}
