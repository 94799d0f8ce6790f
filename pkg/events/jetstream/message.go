package jetstream

import (
	"crypto/sha256"
	"encoding/hex"
	"net/textproto"
	"strings"

	"github.com/nats-io/nats.go"

	"edrpipe/pkg/events"
)

// Prefix is where events are on the bus, a contract with producers.
const Prefix = "edr.events"

// RawExchange is the EDR server's exchange of raw sensor bundles, whose messages
// have no routing key.
const RawExchange = "api.rawsensordata"

// Headers that carry an EDR bus message's properties over NATS.
const (
	HeaderContentType = "Content-Type"
	HeaderExchange    = "Cb-Exchange"
	HeaderRoutingKey  = "Cb-Routing-Key"
	HeaderServer      = "Cb-Server" // the server's name, where it cannot stand in a subject
	HeaderMessageID   = nats.MsgIdHdr
)

// headerSensor is among the four headers of the raw exchange: sensorId, hostId,
// nodeId, sensorHostName.
const headerSensor = "sensorId"

// sensorHeaders restores the spelling that decoders look for: some clients write
// every header in canonical form.
var sensorHeaders = map[string]string{
	"sensorid": headerSensor, "hostid": "hostId", "nodeid": "nodeId", "sensorhostname": "sensorHostName",
}

// Encode makes the NATS message that carries m, on its subject below prefix.
func Encode(prefix string, m events.Message) *nats.Msg {
	out := nats.NewMsg(Subject(prefix, m))
	out.Data = m.Body
	for k, v := range m.Headers {
		out.Header[k] = []string{v}
	}
	set := func(k, v string) {
		if v != "" {
			out.Header[k] = []string{v}
		}
	}
	set(HeaderContentType, m.ContentType)
	set(HeaderExchange, m.Exchange)
	set(HeaderRoutingKey, m.RoutingKey)
	if m.Server != token(m.Server) || m.Server == token("") {
		set(HeaderServer, m.Server)
	}
	set(HeaderMessageID, m.ID)
	if out.Header[HeaderMessageID] == nil {
		set(HeaderMessageID, MessageID(m))
	}
	return out
}

// MessageID is the same for the same content on the same routing key.
func MessageID(m events.Message) string {
	h := sha256.New()
	h.Write([]byte(m.Exchange + "\x00" + m.RoutingKey + "\x00"))
	h.Write(m.Body)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Subject is where m goes: <prefix>.<server>.<routing key>, or
// <prefix>.<server>.raw.<sensor id> for the raw exchange. A message with neither
// (one event of a forwarder: its type is inside) goes to <prefix>.<server>.event.
func Subject(prefix string, m events.Message) string {
	subject := prefix + "." + token(m.Server)
	switch {
	case m.RoutingKey != "":
		words := strings.Split(m.RoutingKey, ".")
		for i, w := range words {
			words[i] = token(w)
		}
		return subject + "." + strings.Join(words, ".")
	case m.Exchange == RawExchange:
		return subject + ".raw." + token(m.Headers[headerSensor])
	default:
		return subject + ".event"
	}
}

// token makes text safe as one word of a subject.
func token(s string) string {
	if s == "" {
		return "_"
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(".*>", r) {
			return '_'
		}
		return r
	}, s)
}

// Decode maps a message of the bus to what it carries. Where headers lack, the
// subject below the prefix tells server and routing key.
func Decode(prefix, subject string, header nats.Header, body []byte) events.Message {
	m := events.Message{Body: body, Transport: "nats"}
	for k, v := range header {
		if len(v) == 0 {
			continue
		}
		property := propertyOf(&m, k)
		if property == nil { // some clients write headers in other forms
			property = propertyOf(&m, textproto.CanonicalMIMEHeaderKey(k))
		}
		if property != nil {
			*property = v[0]
			continue
		}
		if m.Headers == nil {
			m.Headers = make(map[string]string, len(header))
		}
		m.Headers[spelling(k)] = v[0]
	}
	fillFromSubject(&m, prefix, subject)
	return m
}

// propertyOf is where a header's value belongs; nil: among the message's headers.
func propertyOf(m *events.Message, header string) *string {
	switch header {
	case HeaderMessageID:
		return &m.ID
	case HeaderContentType:
		return &m.ContentType
	case HeaderExchange:
		return &m.Exchange
	case HeaderRoutingKey:
		return &m.RoutingKey
	case HeaderServer:
		return &m.Server
	}
	return nil
}

// spelling is how decoders look for a header.
func spelling(header string) string {
	if known, ok := sensorHeaders[strings.ToLower(header)]; ok {
		return known
	}
	return header
}

// fillFromSubject fills what the headers did not say.
func fillFromSubject(m *events.Message, prefix, subject string) {
	rest, ok := strings.CutPrefix(subject, prefix+".")
	if !ok {
		rest, ok = strings.CutPrefix(subject, "edr.")
	}
	if !ok {
		return
	}
	server, key, _ := strings.Cut(rest, ".")
	if m.Server == "" && server != "_" {
		m.Server = server
	}
	if m.RoutingKey != "" || key == "" || key == "event" {
		return
	}
	sensor, raw := strings.CutPrefix(key, "raw.")
	switch {
	case raw && (m.Exchange == "" || m.Exchange == RawExchange):
		m.Exchange = RawExchange
		if m.Headers[headerSensor] == "" && sensor != "_" {
			if m.Headers == nil {
				m.Headers = make(map[string]string, 1)
			}
			m.Headers[headerSensor] = sensor
		}
	case m.Exchange != RawExchange:
		m.RoutingKey = key
	}
}
