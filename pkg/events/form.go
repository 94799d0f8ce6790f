package events

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// A form is what a message's bytes are.
type form uint8

const (
	unknownForm form = iota
	emptyForm
	jsonForm
	zipForm
	sensorEventForm
	bundleForm
)

// rawExchange carries bundles; the other exchange carries single events.
const rawExchange = "api.rawsensordata"

// formOf decides a message's form by its content type and exchange, and by its
// bytes where these are missing or known to lie: some servers send a bundle
// that is not zipped as application/zip.
func formOf(m *Message) form {
	body := m.Body
	contentType, _, _ := strings.Cut(m.ContentType, ";")
	l := lexer{s: textOf(body)}
	switch trimmed := body[l.space(0):]; {
	case len(trimmed) == 0 && contentType != "application/protobuf" && contentType != "application/zip":
		return emptyForm
	case bytes.HasPrefix(body, []byte("PK\x03\x04")):
		return zipForm
	case strings.HasSuffix(contentType, "json"), contentType == "application/x-ndjson", strings.HasPrefix(contentType, "text/"):
		return jsonForm
	case contentType != "application/protobuf" && contentType != "application/zip" && !beginsSensorData(body) && looksLikeText(trimmed):
		return jsonForm
	}
	return sensorForm(m)
}

// sensorForm separates bundles from single sensor events: a body is a bundle if and
// only if its lengths tile it to the last byte. A body that is neither is taken for a
// damaged one of the kind that its exchange carries.
func sensorForm(m *Message) form {
	switch {
	case len(m.Body) == 0:
		return emptyForm
	case tiles(m.Body):
		return bundleForm
	case m.Body[0] == 0x0A && wellFormed(m.Body):
		return sensorEventForm
	case m.Exchange == rawExchange || m.ContentType == "application/zip":
		return bundleForm
	case m.ContentType == "application/protobuf":
		return sensorEventForm
	case len(m.Body) > 8 && m.Body[4] == 0x0A: // a length, then a header: a bundle cut short
		return bundleForm
	}
	return unknownForm
}

// tiles reports whether the body is a row of length-prefixed parts without rest.
func tiles(body []byte) bool {
	if len(body) == 0 {
		return false
	}
	for len(body) >= 4 {
		n := binary.LittleEndian.Uint32(body)
		if uint64(n) > uint64(len(body)-4) {
			return false
		}
		body = body[4+n:]
	}
	return len(body) == 0
}

// beginsSensorData reports whether a body begins as a bundle does, with a length
// below 16 MiB and the tag of a header, or as a single event, with that tag and a
// header that begins with its version. The lengths may be those of "{" or "[".
func beginsSensorData(body []byte) bool {
	const header, version = 0x0A, 0x08
	switch {
	case len(body) < 5:
		return false
	case body[3] == 0 && body[4] == header:
		return true
	case body[0] != header:
		return false
	case body[1] < 0x80:
		return body[2] == version
	}
	return body[3] == version
}

// looksLikeText reports whether a body of unknown type is meant to be lines of
// text: JSON, syslog, or broken text that deserves an error about JSON.
func looksLikeText(body []byte) bool {
	if bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
		return true
	}
	switch body[0] {
	case '{', '[', '"', '<':
		return true
	}
	for _, c := range body[:min(len(body), 64)] {
		if c < 0x20 && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}
