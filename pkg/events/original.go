package events

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math"
	"strconv"
	"strings"
)

// An original is the part of a message that an event was made from.
type original struct {
	format originalFormat
	text   string
	docs   span   // of a hit: where its documents lie in text
	doc    span   // and which of them this event is of
	given  string // the id that an event in our own form came with
}

type originalFormat uint8

const (
	jsonOriginal originalFormat = iota
	sensorOriginal
	ownOriginal
)

type span struct{ start, end int }

// LoadRaw fills e.Raw from the message that e was decoded from, if that was not
// done yet, and returns it. Whole numbers are int where they fit, others
// float64; a hit has only its own document. It must not be called by two
// goroutines at once.
func (e *Event) LoadRaw() map[string]any {
	if e.Raw == nil && e.original != nil {
		e.Raw = e.original.decode()
	}
	return e.Raw
}

func (o *original) decode() map[string]any {
	switch o.format {
	case sensorOriginal:
		return sensorMap(o.text)
	case ownOriginal:
		return nil // it came with the event, or not at all
	}
	if o.doc.end == 0 {
		return decodeObject(o.text)
	}
	raw := decodeObject(o.text[:o.docs.start] + "null" + o.text[o.docs.end:])
	if raw != nil {
		raw["docs"] = []any{decodeObject(o.text[o.doc.start:o.doc.end])}
	}
	return raw
}

// id is equal for equal content over any transport: a digest of server, type and the
// original without the transport's additions. It is a cryptographic digest because the
// content is under an attacker's control, who must not be able to make an event that
// passes for a repetition of another.
func (o *original) id(e *Event) string {
	if isID(o.given) {
		return o.given
	}
	h := sha256.New()
	var buf [256]byte
	b := append(buf[:0], e.Event.Server...)
	b = append(b, 0)
	b = append(b, e.Event.Type...)
	b = append(b, 0)
	switch {
	case o.format == sensorOriginal:
		b = append(b, cmp.Or(e.Sensor.ID, "0")...)
		b = append(b, 0)
		h.Write(b)
		eachOutsideEnv(o.text, func(part string) { h.Write(bytesOf(part)) })
	case o.doc.end == 0:
		h.Write(b)
		h.Write(bytesOf(o.text))
	default:
		h.Write(b)
		h.Write(bytesOf(o.text[:o.docs.start]))
		h.Write(bytesOf(o.text[o.doc.start:o.doc.end]))
		h.Write(bytesOf(o.text[o.docs.end:]))
	}
	var sum [sha256.Size]byte
	return hex.EncodeToString(h.Sum(sum[:0])[:16])
}

// decodeObject is a JSON object as a map, nil when it is none.
func decodeObject(s string) map[string]any {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) != nil {
		return nil
	}
	for k, v := range maps.All(m) {
		m[k] = plainNumbers(v)
	}
	return m
}

// plainNumbers replaces json.Number, which no rule can compare, by int, or by
// float64 when it has a fraction. A whole number beyond int64 stays as it is.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.Atoi(string(v)); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil && (strings.ContainsAny(string(v), ".eE") || math.Abs(f) < 1<<53) {
			return f
		}
		return v
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k, inner := range v {
			v[k] = plainNumbers(inner)
		}
	}
	return v
}

// validJSON reports whether s is exactly one JSON value.
func validJSON(s string) bool {
	l := lexer{s: s}
	end := l.value(l.space(0), new(token))
	return end != failed && l.space(end) == len(s)
}
