package batch

import (
	"bytes"
	"encoding/base64"
)

// bareBase64 takes the events that the forwarder's default template makes of
// event_text_as_json_byte_array: base64 without quotes, one text after the other, each of
// an event and perhaps a comma. The scanner stays where it is if there are none.
func (s *scanner) bareBase64() [][]byte {
	rest := s.body[s.pos:]
	n := 0
	for n < len(rest) && isBase64(rest[n]) {
		n++
	}
	var events [][]byte
	for text := rest[:n]; len(text) > 0; {
		var part []byte
		part, text = cutPadded(text)
		decoded, err := base64.StdEncoding.DecodeString(string(part))
		if err != nil || !bytes.HasPrefix(bytes.TrimLeft(decoded, " \t\r\n,"), []byte("{")) {
			return nil
		}
		inner := Split(append(append([]byte("["), bytes.Trim(decoded, " \t\r\n,")...), ']'))
		if inner.Broken > 0 {
			return nil
		}
		events = append(events, inner.Events...)
	}
	s.pos += n
	return events
}

// cutPadded cuts a row of texts after the first that ends in padding.
func cutPadded(text []byte) (first, rest []byte) {
	end := bytes.IndexByte(text, '=')
	if end < 0 {
		return text, nil
	}
	for end < len(text) && text[end] == '=' {
		end++
	}
	return text[:end], text[end:]
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '='
}
