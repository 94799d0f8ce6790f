package batch

import (
	"bytes"
	"encoding/base64"
)

// BareBase64 decodes the events at the beginning of text that the forwarder's default
// template makes of event_text_as_json_byte_array: base64 without quotes, one text after
// the other, each of an event and perhaps a comma. The texts have n bytes; 0 when there
// are none.
func BareBase64(text []byte) (events [][]byte, n int) {
	for n < len(text) && isBase64(text[n]) {
		n++
	}
	for text := text[:n]; len(text) > 0; {
		var part []byte
		part, text = cutPadded(text)
		decoded, err := base64.StdEncoding.DecodeString(string(part))
		if err != nil || !bytes.HasPrefix(bytes.TrimLeft(decoded, " \t\r\n,"), []byte("{")) {
			return nil, 0
		}
		inner := Split(append(append([]byte("["), bytes.Trim(decoded, " \t\r\n,")...), ']'))
		if inner.Broken > 0 {
			return nil, 0
		}
		events = append(events, inner.Events...)
	}
	return events, n
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
