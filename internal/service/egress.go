package service

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// metadata are addresses outside the link-local ranges at which clouds hand out
// credentials of the machine.
var metadata = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200")}

// egress is the client of the actions http and notify. It checks the address that is
// dialled, after name resolution.
func egress() *http.Client {
	dialer := &net.Dialer{Timeout: 30 * time.Second, Control: mayDial}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: 100, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second}
	return &http.Client{Timeout: time.Minute, Transport: transport}
}

// mayDial is net.Dialer.Control.
func mayDial(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("egress: %q is no address: %w", address, err)
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip == metadata[0] || ip == metadata[1] {
		return fmt.Errorf("egress: %s is a link-local, multicast or metadata address: rules may not send there", ip)
	}
	return nil
}
