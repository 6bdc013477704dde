package webhook

import (
	"fmt"
	"net/netip"
	"syscall"
)

// forbidden are addresses that are never called, whatever is listed: they lead
// to the machine's own neighbourhood or to a cloud provider's metadata service.
func forbidden(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || thisNetwork.Contains(a) ||
		localNAT64.Contains(a) || a == broadcast || a == metadataEC2 || a == metadataGoogle || a == metadataAlibaba || a == metadataAzure || a == metadataOracle
}

var (
	thisNetwork     = netip.MustParsePrefix("0.0.0.0/8")
	broadcast       = netip.MustParseAddr("255.255.255.255")
	metadataEC2     = netip.MustParseAddr("fd00:ec2::254") // 169.254.169.254 is link-local
	metadataGoogle  = netip.MustParseAddr("fd20:ce::254")
	metadataAlibaba = netip.MustParseAddr("100.100.100.200")
	metadataAzure   = netip.MustParseAddr("168.63.129.16")
	metadataOracle  = netip.MustParseAddr("192.0.0.192")

	// localNAT64 is for gateways of one network, each of which puts the IPv4
	// address elsewhere (RFC 8215, 3): where an address leads cannot be told.
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48")

	// translated is the well-known prefix under which a NAT64 gateway reaches
	// IPv4 addresses (RFC 6052, 2.1); 6to4 does so too (RFC 3056, 2).
	translated = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
)

// A guard decides on resolved addresses.
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
		return g.lists(a, func(p netip.Prefix) bool { return p.Addr().IsLoopback() })
	}
	return len(g.allow) == 0 || g.lists(a, func(netip.Prefix) bool { return true })
}

func (g guard) lists(a netip.Addr, counts func(netip.Prefix) bool) bool {
	for _, p := range g.allow {
		if counts(p) && p.Contains(a) {
			return true
		}
	}
	return false
}

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
