package lines

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Listen says where senders connect and which of them may.
type Listen struct {
	Address string      // host:port
	TLS     *tls.Config // TCP only; with ClientAuth: tls.RequireAndVerifyClientCert only holders of a certificate get in

	// From lists the networks that may send. Empty: only this machine, unless client
	// certificates are required. Neither line format can carry a password.
	From []netip.Prefix
}

// errOpen is for an address that everybody could send to.
var errOpen = errors.New("the address can be reached from other machines: name the networks that may send, or require client certificates")

func (l Listen) check() error {
	if len(l.From) > 0 || l.TLS != nil && l.TLS.ClientAuth == tls.RequireAndVerifyClientCert {
		return nil
	}
	host, _, err := net.SplitHostPort(l.Address)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", l.Address, err)
	}
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("listen address %q: %w", l.Address, errOpen)
}

// allows reports whether a sender may send.
func (l Listen) allows(sender net.Addr) bool {
	if len(l.From) == 0 {
		return true
	}
	at, err := netip.ParseAddrPort(sender.String())
	if err != nil {
		return false
	}
	for _, p := range l.From {
		if p.Contains(at.Addr().Unmap()) {
			return true
		}
	}
	return false
}
