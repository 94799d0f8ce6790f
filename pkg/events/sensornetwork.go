package events

import "net/netip"

// network is the connection of older sensors, IPv4 only.
func (r *sensorReading) network(b []byte) error {
	n := &r.event.Net
	outbound := true
	var oldIP, oldPort, remoteIP, remotePort optional
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 2:
			oldIP.set(w.value)
		case 5:
			oldPort.set(w.value)
		case 6:
			n.Protocol = protocolName(int64(w.value))
		case 7:
			n.Domain = r.str(w.bytes)
		case 8:
			outbound = w.value != 0
		case 9:
			n.Proxy = w.value != 0
		case 10:
			n.ProxyIP = sensorIPv4(w.value)
		case 11:
			n.ProxyPort = sensorPort(w.value)
		case 12:
			n.ProxyDomain = r.str(w.bytes)
		case 13:
			remoteIP.set(w.value)
		case 14:
			remotePort.set(w.value)
		case 15:
			n.LocalIP = sensorIPv4(w.value)
		case 16:
			n.LocalPort = sensorPort(w.value)
		}
	}
	if !remoteIP.there { // sensors before the four fields knew one end only
		remoteIP = oldIP
	}
	if !remotePort.there {
		remotePort = oldPort
	}
	if remoteIP.there {
		n.RemoteIP = sensorIPv4(remoteIP.value)
	}
	n.RemotePort = sensorPort(remotePort.value)
	n.Direction = direction(outbound)
	withoutProxy(n)
	return w.err
}

func (r *sensorReading) networkV2(b []byte) error {
	n := &r.event.Net
	outbound := true
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 1:
			n.Protocol = protocolName(int64(w.value))
		case 2:
			n.Domain = r.str(w.bytes)
		case 3:
			outbound = w.value != 0
		case 4:
			n.Proxy = w.value != 0
		case 5:
			n.ProxyIP = sensorAddress(w.bytes)
		case 6:
			n.ProxyPort = sensorPort(w.value)
		case 7:
			n.ProxyDomain = r.str(w.bytes)
		case 8:
			n.RemoteIP = sensorAddress(w.bytes)
		case 9:
			n.RemotePort = sensorPort(w.value)
		case 10:
			n.LocalIP = sensorAddress(w.bytes)
		case 11:
			n.LocalPort = sensorPort(w.value)
		case 12:
			n.JA3 = r.str(w.bytes)
		case 13:
			n.JA3S = r.str(w.bytes)
		}
	}
	n.Direction = direction(outbound)
	withoutProxy(n)
	return w.err
}

// withoutProxy clears what stands in a proxy's fields when there was none: 0.0.0.0.
func withoutProxy(n *Net) {
	if !n.Proxy {
		n.ProxyIP, n.ProxyPort, n.ProxyDomain = "", 0, ""
	}
}

func direction(outbound bool) string {
	if outbound {
		return "outbound"
	}
	return "inbound"
}

// sensorPort: ports come with their two bytes swapped.
func sensorPort(v uint64) int { return int(v&0xff)<<8 | int(v>>8&0xff) }

// sensorIPv4: the lowest byte is the first of the address.
func sensorIPv4(v uint64) string {
	return ipv4(byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

// sensorAddress reads an IP address message. The eight bytes of ipv6High come
// first, each of the two numbers with its lowest byte first.
func sensorAddress(b []byte) string {
	var v6, v4There bool
	var v4, low, high uint64
	for w := (wire{b: b}); w.next(); {
		switch w.num {
		case 1:
			v6 = w.value != 0
		case 2:
			v4, v4There = w.value, true
		case 3:
			low = w.value
		case 4:
			high = w.value
		}
	}
	if !v6 {
		if !v4There {
			return ""
		}
		return sensorIPv4(v4)
	}
	var a [16]byte
	for i := range 8 {
		a[i] = byte(high >> (8 * i))
		a[8+i] = byte(low >> (8 * i))
	}
	return netip.AddrFrom16(a).String()
}
