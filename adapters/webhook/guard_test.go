package webhook

import (
	"net/netip"
	"testing"
)

func TestGuard(t *testing.T) {
	wan := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	ten := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, tt := range []struct {
		name    string
		allow   []netip.Prefix
		address string
		allowed bool
	}{
		{"an agency on the wide network, by default", nil, "10.1.2.3", true},
		{"a public address, by default", nil, "203.0.113.9", true},
		{"a public IPv6 address, by default", nil, "2001:db8::9", true},
		{"loopback, by default", nil, "127.0.0.1", false},
		{"IPv6 loopback, by default", nil, "::1", false},
		{"link-local", nil, "169.254.10.1", false},
		{"IPv6 link-local with a zone", nil, "fe80::1%eth0", false},
		{"the metadata service, mapped", nil, "::ffff:169.254.169.254", false},
		{"the metadata service, through NAT64", nil, "64:ff9b::a9fe:a9fe", false},
		{"the metadata service, through 6to4", nil, "2002:a9fe:a9fe::1", false},
		{"the metadata service over IPv6", nil, "fd00:ec2::254", false},
		{"Google's metadata service over IPv6", nil, "fd20:ce::254", false},
		{"the metadata service, through a network's own NAT64", nil, "64:ff9b:1::a9fe:a9fe", false},
		{"Alibaba's metadata service", nil, "100.100.100.200", false},
		{"Azure's", nil, "168.63.129.16", false},
		{"multicast", nil, "224.0.0.1", false},
		{"broadcast", nil, "255.255.255.255", false},
		{"this network", nil, "0.1.2.3", false},
		{"loopback through NAT64", nil, "64:ff9b::7f00:1", false},
		{"listed", wan, "10.1.2.3", true},
		{"listed, mapped into IPv6", wan, "::ffff:10.1.2.3", true},
		{"not listed", wan, "203.0.113.9", false},
		{"loopback listed beside others", ten, "127.0.0.1", true},
		{"IPv6 loopback listed", ten, "::1", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (guard{tt.allow}).allows(netip.MustParseAddr(tt.address)); got != tt.allowed {
				t.Errorf("allows(%s) = %v", tt.address, got)
			}
		})
	}
}

func TestGuardRefusesWhatIsNoAddress(t *testing.T) {
	if err := (guard{}).control("tcp", "agency.example:443", nil); err == nil {
		t.Error("a name went past the guard unresolved")
	}
}
