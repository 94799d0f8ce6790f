package events

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"edrpipe/pkg/events/batch"
)

// Keys that identify the format of a JSON object, before its event type is known.
var (
	keyType        = keyOf("type")
	keyAlertType   = keyOf("alert_type")
	keyDocs        = keyOf("docs")
	keyAlerts      = keyOf("alerts")
	keyService     = keyOf("service")
	keyFilename    = keyOf("filename")
	keyEvent       = keyOf("event")
	keySourcetype  = keyOf("sourcetype")
	keySpecVersion = keyOf("specversion")
	keyData        = keyOf("data")
	keyDataBase64  = keyOf("data_base64")
	keyOrgKey      = keyOf("org_key")
	keySensor      = keyOf("sensor")

	envelopeKeys = []key{
		keyType, keyAlertType, keyDocs, keyAlerts, keyService, keyFilename, keyEvent,
		keySourcetype, keySpecVersion, keyData, keyDataBase64, keyOrgKey, keySensor,
		keyResults, keyNumFound, keyActor, keyDescription, keyLoginName, keyOrgName, keyEventID,
	}
)

// byteOrderMark begins text that Windows programs have written.
const byteOrderMark = "\xef\xbb\xbf"

// stream decodes a row of JSON values: one object, an array, lines, or objects
// one after another without anything between them. After a value that is
// broken it goes on behind the next line break.
func (p *pass) stream(s string, routing string, wraps int) bool {
	arrays, i := 0, 0
	if strings.HasPrefix(s, byteOrderMark) {
		i = len(byteOrderMark)
	}
	for i < len(s) {
		switch c := s[i]; c {
		case ' ', '\t', '\r', '\n', ',':
			i++
		case '[':
			arrays++
			i++
		case ']':
			arrays--
			i++
		case '{', '"':
			n, more := p.value(s[i:], p.base+i, routing, wraps)
			if !more {
				return false
			}
			i += n
		default:
			n, more := p.bareBase64(s[i:], p.base+i, routing, wraps)
			if n == 0 && more && arrays > 0 {
				n, more = p.scalar(s[i:], p.base+i)
			}
			if n == 0 && more {
				n, more = p.otherLine(s[i:], p.base+i)
			}
			if !more {
				return false
			}
			i += n
		}
	}
	if arrays != 0 && strings.Trim(s, "[], \t\r\n") != "" { // not of an array whose elements stand on lines of their own
		return p.reject(BadJSON, fmt.Errorf("%w: brackets do not match", errShort), p.base+len(s), "")
	}
	return true
}

// bareBase64 decodes events that a forwarder put into a list in base64 without quotes. n
// is 0 where there are none.
func (p *pass) bareBase64(s string, at int, routing string, wraps int) (n int, more bool) {
	if s[0] != 'e' && s[0] != 'I' && s[0] != 'C' && s[0] != 'D' && s[0] != 'L' { // base64 of {, and of blanks or a comma before it
		return 0, true
	}
	inner, n := batch.BareBase64([]byte(s[:lineLength(s)]))
	for _, text := range inner {
		if !p.unwrap(string(text), at, routing, wraps) {
			return n, false
		}
	}
	return n, true
}

// scalar rejects the element of an array that is a number, true, false or null. Its
// length is 0 where there is no such.
func (p *pass) scalar(s string, at int) (n int, more bool) {
	l := lexer{s: s}
	var t token
	end := l.value(0, &t)
	if end == failed || end == 0 {
		return 0, true
	}
	if next := l.space(end); next < len(s) && s[next] != ',' && s[next] != ']' {
		return 0, true
	}
	return end, p.reject(BadJSON, fmt.Errorf("an element of the array is %s, not an event", clip(s[:end], 20)), at, s[:end])
}

// otherLine passes over what begins no JSON value: of a syslog line the text
// before its first brace, of any other line all of it.
func (p *pass) otherLine(s string, at int) (n int, more bool) {
	line := s[:lineLength(s)]
	if !isSyslog(line) {
		return len(line), p.rejectLine(line, at)
	}
	if brace := strings.IndexByte(line, '{'); brace > 0 {
		return brace, true
	}
	return len(line), p.reject(BadJSON, fmt.Errorf("a syslog line without an object"), at, line)
}

// isSyslog reports whether a line begins with a priority, as on the wire, or
// with a time, as syslog daemons write it to their files.
func isSyslog(line string) bool {
	if line[0] == '<' {
		return true
	}
	for _, layout := range []string{time.Stamp, "2006-01-02T15:04:05"} {
		if len(line) > len(layout) {
			if _, err := time.Parse(layout, line[:len(layout)]); err == nil {
				return true
			}
		}
	}
	return false
}

func (p *pass) rejectLine(line string, at int) bool {
	if strings.HasPrefix(line, "LEEF:") {
		return p.reject(UnsupportedInput, fmt.Errorf("LEEF is not supported: set output_format=json in the forwarder"), at, line)
	}
	return p.reject(BadJSON, fmt.Errorf("%w: begins with %q", errSyntax, clip(line, 20)), at, line)
}

// lineLength is the length of the first line of s, its line break not counted.
func lineLength(s string) int {
	if n := strings.IndexByte(s, '\n'); n > 0 {
		return n
	}
	return len(s)
}

// value decodes the object or string that s begins with and returns its length.
func (p *pass) value(s string, at int, routing string, wraps int) (n int, more bool) {
	if s[0] == '"' {
		l := lexer{s: s}
		var t token
		end := l.value(0, &t)
		if end == failed {
			return p.broken(s, at, l.err)
		}
		return end, p.textual(s, t, at, routing, wraps)
	}
	p.recycle()
	x := &p.reading
	x.top.begin(s)
	l := lexer{s: s}
	end := l.object(0, &x.top)
	if end == failed {
		if inner := templateList(s); inner > 0 && wraps < maxEnvelopes {
			return p.salvage(s, inner, at, routing, wraps)
		}
		return p.broken(s, at, l.err)
	}
	if end > p.maxDocument() && x.top.get(keyAlerts).kind != arrayToken && !p.isSearchAnswer() {
		return end, p.reject(TooLarge, fmt.Errorf("a document of %d bytes, more than %d", end, p.maxDocument()), at, s[:end])
	}
	return end, p.object(s[:end], at, routing, wraps)
}

// broken rejects a value and goes on after its line.
func (p *pass) broken(s string, at int, err error) (int, bool) {
	reason := BadJSON
	if errors.Is(err, errDepth) {
		reason = TooDeep
	}
	n := lineLength(s)
	return n, p.reject(reason, err, at, s[:n])
}

// templateList finds the list of events in the forwarder's default HTTP body
// when the body as a whole is not valid, so that one bad event does not take
// the good ones with it. It returns 0 when s is not such a body.
func templateList(s string) int {
	const list = `"alerts":[`
	head := s[:min(len(s), 4096)]
	i := strings.Index(head, list)
	if i < 0 || strings.IndexByte(head[1:i], '{') >= 0 {
		return 0
	}
	return i + len(list)
}

// salvage decodes the elements of such a list, with its brackets where it is whole.
func (p *pass) salvage(s string, inner, at int, routing string, wraps int) (int, bool) {
	from, end := inner, len(s)
	if tail := strings.TrimRight(s, " \t\r\n"); strings.HasSuffix(tail, "]}") {
		from, end = inner-1, len(tail)-1
	}
	base := p.base
	p.base = at + from
	defer func() { p.base = base }()
	return len(s), p.stream(s[from:end], routing, wraps+1)
}

// textual decodes an event that is wrapped in a string: JSON text, or JSON in
// base64 (the forwarder's event_text_as_json_byte_array).
func (p *pass) textual(s string, t token, at int, routing string, wraps int) bool {
	text := p.reading.pool.text(s, t)
	if p.scan != nil {
		text = strings.Clone(text) // a scan writes over its pool with each event
	}
	if !strings.HasPrefix(text, "{") {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(b) == 0 || b[0] != '{' {
			return p.reject(BadEnvelope, fmt.Errorf("a string that holds no event"), at, s[t.start:t.end])
		}
		text = string(b)
	}
	return p.unwrap(text, at, routing, wraps)
}

// unwrap decodes what an envelope holds.
func (p *pass) unwrap(s string, at int, routing string, wraps int) bool {
	if wraps >= maxEnvelopes {
		return p.reject(TooDeep, fmt.Errorf("more than %d envelopes around an event", maxEnvelopes), at, s)
	}
	base := p.base
	p.base = at
	more := p.stream(s, routing, wraps+1)
	p.base = base
	return more
}

// object decodes an object whose tokens are in p.reading.top: an envelope or an
// event.
func (p *pass) object(s string, at int, routing string, wraps int) bool {
	x := &p.reading
	top := &x.top
	typ := x.plainText(top, top.get(keyType))
	alerts, data, event := top.get(keyAlerts), top.get(keyData), top.get(keyEvent)
	switch {
	case alerts.kind == arrayToken && typ == "" && (top.get(keyService).kind != absent || top.get(keyFilename).kind != absent):
		return p.unwrap(s[alerts.start:alerts.end], at+int(alerts.start), routing, wraps)
	case p.isSearchAnswer():
		results := top.get(keyResults)
		return p.unwrap(s[results.start:results.end], at+int(results.start), routing, wraps)
	case top.get(keySpecVersion).kind == stringToken:
		if routing == "" {
			routing = types[canonicalType(typ)].name
		}
		return p.cloudEvent(s, at, data, top.get(keyDataBase64), routing, wraps)
	case event.kind == objectToken && top.get(keySensor).kind == objectToken && typ == "":
		return p.normalised(s, at)
	case event.kind == objectToken && typ == "":
		return p.unwrap(s[event.start:event.end], at+int(event.start), routing, wraps)
	case event.kind == stringToken && typ == "" && (top.get(keySourcetype).kind != absent || routing == ""):
		return p.textual(s, event, at, routing, wraps)
	}
	return p.documents(s, at, p.typeOf(typ, routing))
}

func (p *pass) cloudEvent(s string, at int, data, b64 token, routing string, wraps int) bool {
	switch {
	case data.kind == objectToken, data.kind == arrayToken:
		return p.unwrap(s[data.start:data.end], at+int(data.start), routing, wraps)
	case data.kind == stringToken:
		return p.textual(s, data, at, routing, wraps)
	case b64.kind == stringToken:
		return p.textual(s, b64, at, routing, wraps)
	}
	return p.reject(BadEnvelope, fmt.Errorf("a CloudEvent without JSON data"), at, s)
}

// typeOf decides an object's type: its own type field, the routing key of its message,
// or the type that an alert repeats; none if all are missing.
func (p *pass) typeOf(typ, routing string) eventType {
	x := &p.reading
	if name := p.cloudType(typ); name != "" {
		return typeNamed(name)
	}
	if t, known := types[canonicalType(typ)]; known {
		return t
	}
	if routing != "" {
		return typeNamed(canonicalType(routing))
	}
	if typ != "" {
		return typeNamed(canonicalType(typ))
	}
	if alert := x.plainText(&x.top, x.top.get(keyAlertType)); alert != "" {
		return types[canonicalType("alert."+alert)]
	}
	return eventType{}
}
