package config

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
)

// Exposure lists what in the configuration gives secrets or the service to more
// people than it needs to: files of secrets that every user of the machine may read,
// connections that are not verified, and listeners that others reach without TLS.
// Each is allowed, and said at the start.
func (c Config) Exposure() []string {
	var all []string
	for _, k := range Keys() {
		if k.Secret != "file" {
			continue
		}
		if name := k.value(&c).String(); readable(name) {
			all = append(all, readableText(k.Path, name))
		}
	}
	if c.EDR.Insecure {
		all = append(all, unverified("edr"))
	}
	for i := range c.Servers {
		at := fmt.Sprintf("servers[%d]", i)
		for _, e := range c.Servers[i].entries() {
			switch v := e.value.Interface().(type) {
			case string:
				if e.Secret == "file" && readable(v) {
					all = append(all, readableText(at+"."+e.Path, v))
				}
			case bool:
				if e.Path == "insecure" && v {
					all = append(all, unverified(at))
				}
			}
		}
	}
	if c.Web.Cert == "" && reachable(c.Web.Listen) {
		all = append(all, "web.listen: "+c.Web.Listen+" is reached by other machines without TLS, and tokens pass in plain text: set web.cert and web.key, or listen on 127.0.0.1 behind a proxy that has TLS")
	}
	if reachable(c.Bus.Listen) {
		all = append(all, "bus.listen: "+c.Bus.Listen+" is reached by other machines without TLS, and passwords pass in plain text: use a NATS of its own with TLS")
	}
	slices.Sort(all)
	return all
}

// readable reports whether every user of this machine can read a file.
func readable(name string) bool {
	info, err := os.Stat(name)
	return name != "" && err == nil && info.Mode().Perm()&0o004 != 0
}

func readableText(key, name string) string {
	return fmt.Sprintf("%s: every user of this machine can read %s: chmod 0400 it", key, name)
}

func unverified(server string) string {
	return fmt.Sprintf("%s.insecure: the EDR server's certificate is not verified, and who is in between gets the token: set %s.ca or %s.pin", server, server, server)
}

// reachable reports whether other machines can connect to an address.
func reachable(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return false // off, or refused elsewhere
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || !ip.IsLoopback()
}
