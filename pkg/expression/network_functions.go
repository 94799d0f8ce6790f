package expression

import (
	"fmt"
	"net/netip"
)

var networkFunctions = []Function{
	{
		Name: "cidr", Signature: "cidr(ip, network…)", Result: BoolType, Total: true,
		Doc:     "The address lies in one of the networks. False for what is not an address.",
		Example: `cidr(net.remote_ip, "10.0.0.0/8", "fd00::/8")`,
		types:   []any{new(func(string, ...string) bool)},
		check:   constantNetworks,
		call:    inNetworks,
	},
	{
		Name: "is_private", Signature: "is_private(ip)", Result: BoolType, Total: true,
		Doc:     "The address is private, link-local, loopback or unspecified: not one of the internet.",
		Example: `net.direction == "outbound" && !is_private(net.remote_ip)`,
		types:   []any{new(func(string) bool)},
		call: onText(1, func(a []string) (any, error) {
			ip, ok := address(a[0])
			return ok && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()), nil
		}),
	},
	{
		Name: "is_ip", Signature: "is_ip(text)", Result: BoolType, Total: true,
		Doc:     "The text is an IPv4 or IPv6 address.",
		Example: `is_ip(ioc.value)`,
		types:   []any{new(func(string) bool)},
		call: onText(1, func(a []string) (any, error) {
			_, ok := address(a[0])
			return ok, nil
		}),
	},
}

// address reads an IP address; an IPv4 address in IPv6 form is the IPv4 one.
func address(text string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(text)
	return ip.Unmap().WithZone(""), err == nil
}

func inNetworks(args ...any) (any, error) {
	text, err := textOf(args[0])
	if err != nil {
		return nil, err
	}
	ip, ok := address(text)
	if !ok {
		return false, nil
	}
	for _, arg := range args[1:] {
		s, _ := arg.(string)
		network, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network", s)
		}
		if network.Contains(ip) {
			return true, nil
		}
	}
	return false, nil
}

func constantNetworks(_ *Scope, args []constant) *argError {
	if len(args) < 2 {
		return &argError{0, "cidr needs at least one network", `cidr(ip, "10.0.0.0/8")`}
	}
	for i, arg := range args[1:] {
		s, ok := arg.text()
		if !ok {
			return &argError{i + 1, "a network must be a constant text", `"10.0.0.0/8"`}
		}
		network, err := netip.ParsePrefix(s)
		switch {
		case err != nil && isAddress(s):
			return &argError{i + 1, fmt.Sprintf("%q is an address, not a network", s), "add the prefix length: /32, or /128 for IPv6"}
		case err != nil:
			return &argError{i + 1, fmt.Sprintf("%q is not a network", s), `write it like "10.0.0.0/8"`}
		case network.Masked() != network:
			return &argError{i + 1, fmt.Sprintf("%q has bits set outside its prefix", s), fmt.Sprintf("did you mean %q?", network.Masked())}
		}
	}
	return nil
}

func isAddress(s string) bool {
	_, ok := address(s)
	return ok
}
