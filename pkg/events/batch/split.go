// Package batch splits bodies with many events, byte for byte and without decoding the
// events: an event forwarder's HTTP post (default envelope, array template, base64
// variant), JSON arrays, newline-delimited and concatenated JSON values, and bundles of
// raw sensor events.
//
// No byte is dropped. Text in a batch that is not JSON becomes a piece of its own, up to
// the end of its line, so that a decoder can count and keep it and its neighbours stay
// intact.
package batch

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
)

// Batch is a body taken apart. Events are slices of the body, except where they
// came in base64.
type Batch struct {
	Filename string   // spool file of a forwarder's post: the same body comes again under the same name
	Events   [][]byte // in order; an empty list is a forwarder's heartbeat
	Broken   int      // how many of Events are not JSON
	Form     Form
}

// Form is how a body holds its events.
type Form string

// The forms.
const (
	Envelope Form = "envelope" // {"filename": …, "service": …, "alerts": […]}
	Array    Form = "array"
	Values   Form = "values" // one or more JSON values, with or without newlines between
	Empty    Form = "empty"
)

// Split takes a JSON body apart. A byte order mark before it is no part of it.
func Split(body []byte) Batch {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	s := scanner{body: body}
	s.skip(" \t\r\n")
	if s.pos == len(body) {
		return Batch{Form: Empty}
	}
	switch body[s.pos] {
	case '[':
		s.pos++
		return s.elements(Batch{Form: Array})
	case '{':
		if name, at, ok := envelope(body[s.pos:]); ok {
			s.pos += at
			return s.elements(Batch{Form: Envelope, Filename: name})
		}
	}
	return s.values(Batch{Form: Values})
}

// envelope recognises the forwarder's frame and returns the index of its list of events.
// It reads keys until one cannot belong to the frame: one key for an ordinary event.
func envelope(body []byte) (filename string, at int, ok bool) {
	s := scanner{body: body, pos: 1}
	for {
		s.skip(" \t\r\n,")
		key := s.value()
		s.skip(" \t\r\n")
		if !s.at(':') {
			return "", 0, false
		}
		s.pos++
		s.skip(" \t\r\n")
		switch string(key) {
		case `"filename"`:
			if json.Unmarshal(s.value(), &filename) != nil {
				return "", 0, false
			}
		case `"service"`:
			s.value()
		case `"alerts"`:
			if !s.at('[') {
				return "", 0, false
			}
			return filename, s.pos + 1, true
		default:
			return "", 0, false
		}
	}
}

// A scanner goes over a body once. After the first piece that does not end where
// its line ends it takes lines for the limits of values: otherwise each of a
// million unclosed brackets would be followed to the end of the body.
type scanner struct {
	body   []byte
	pos    int
	byLine bool
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.body) && s.body[s.pos] == c }

func (s *scanner) skip(set string) {
	for s.pos < len(s.body) && bytes.IndexByte([]byte(set), s.body[s.pos]) >= 0 {
		s.pos++
	}
}

// elements reads the rest of a list whose opening bracket has been passed.
func (s *scanner) elements(b Batch) Batch {
	for {
		s.skip(" \t\r\n,")
		if s.pos == len(s.body) {
			return b
		}
		if s.body[s.pos] == ']' && s.closes() {
			return b
		}
		if events, n := BareBase64(s.body[s.pos:]); n > 0 {
			b.Events = append(b.Events, events...)
			s.pos += n
			continue
		}
		b.take(s)
	}
}

// closes reports whether the bracket here ends the list, that is, only the end of the
// frame follows. A stray bracket among the events does not.
func (s *scanner) closes() bool {
	return len(bytes.Trim(s.body[s.pos+1:], " \t\r\n}]")) == 0
}

// values reads values up to the end of the body.
func (s *scanner) values(b Batch) Batch {
	for {
		s.skip(" \t\r\n\x00")
		if s.pos == len(s.body) {
			return b
		}
		b.take(s)
	}
}

// take appends the piece at the scanner's place.
func (b *Batch) take(s *scanner) {
	from := s.pos
	piece := s.value()
	if len(piece) == 0 || !json.Valid(piece) {
		inLine := len(piece) > 0 && (piece[0] == '{' || piece[0] == '[') && bytes.IndexByte(piece, '\n') < 0
		if !inLine {
			s.pos, s.byLine = from, true
			piece = s.broken()
		}
		b.Events = append(b.Events, piece)
		b.Broken++
		return
	}
	if b.Form != Values && piece[0] == '"' {
		if raw, ok := unbase64(piece); ok {
			piece = raw
		}
	}
	b.Events = append(b.Events, piece)
}

// unbase64 undoes the forwarder's event_text_as_json_byte_array.
func unbase64(piece []byte) ([]byte, bool) {
	text := piece[1 : len(piece)-1]
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(raw, text)
	if err != nil || n == 0 {
		return nil, false
	}
	return bytes.TrimSpace(raw[:n]), true
}

// value skips one JSON value by its brackets and quotes without validating it. It
// returns nil at the end or if no value starts here.
func (s *scanner) value() []byte {
	from, depth, end := s.pos, 0, s.limit()
	for s.pos < end {
		switch c := s.body[s.pos]; c {
		case '"':
			if !s.quoted(end) {
				return nil
			}
			if depth == 0 {
				return s.body[from:s.pos]
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return s.body[from:s.pos]
			}
			if depth--; depth == 0 {
				s.pos++
				return s.body[from:s.pos]
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return s.body[from:s.pos]
			}
		}
		s.pos++
	}
	if depth > 0 {
		return nil
	}
	return s.body[from:s.pos]
}

// limit is where a value that starts here must have ended.
func (s *scanner) limit() int {
	if s.byLine {
		if n := bytes.IndexByte(s.body[s.pos:], '\n'); n >= 0 {
			return s.pos + n
		}
	}
	return len(s.body)
}

// quoted passes a string.
func (s *scanner) quoted(end int) bool {
	for s.pos++; s.pos < end; s.pos++ {
		switch s.body[s.pos] {
		case '\\':
			s.pos++
		case '"':
			s.pos++
			return true
		}
	}
	s.pos = min(s.pos, end)
	return false
}

// broken passes what is left of the line and returns it without the separators
// at its end. It always passes something.
func (s *scanner) broken() []byte {
	rest := s.body[s.pos:]
	n := bytes.IndexByte(rest, '\n')
	if n < 0 {
		n = len(rest)
	}
	s.pos += n
	piece := bytes.TrimRight(rest[:n], " \t\r,")
	if len(piece) == 0 { // separators alone, which the callers skip: cannot be
		s.pos = min(s.pos+1, len(s.body))
		return rest[:max(n, 1)]
	}
	return piece
}
