package edr

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// Endpoint identifies one sensor among several servers: the configured name of
// its server and the id that the server gave it. Ids are text, because other
// products than Carbon Black EDR have UUIDs. An Endpoint is comparable and is the
// key of everything that is kept by sensor; the same id on another server is
// another endpoint.
//
// Its text is "server/id", as in "hq/42". A server's name has no slash, an id may
// have one. The zero Endpoint means none; its text is empty.
type Endpoint struct {
	Server string
	ID     string
}

// ParseEndpoint reads the form that String writes.
func ParseEndpoint(text string) (Endpoint, error) {
	server, id, found := strings.Cut(text, "/")
	e := Endpoint{server, id}
	if !found {
		return Endpoint{}, fmt.Errorf("endpoint %q: want SERVER/ID, as in hq/42", text)
	}
	if err := e.Validate(); err != nil {
		return Endpoint{}, err
	}
	return e, nil
}

// Validate reports what keeps the endpoint from being written and read again.
func (e Endpoint) Validate() error {
	switch {
	case e.Server == "":
		return fmt.Errorf("endpoint %q: the server's name is empty", e.text())
	case e.ID == "":
		return fmt.Errorf("endpoint %q: the sensor's id is empty", e.text())
	case strings.Contains(e.Server, "/"):
		return fmt.Errorf("endpoint %q: the server's name %q contains a slash", e.text(), e.Server)
	case strings.ContainsFunc(e.text(), func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }):
		return fmt.Errorf("endpoint %q: contains a control character or is not UTF-8", e.text())
	}
	return nil
}

// IsZero reports whether e names no endpoint.
func (e Endpoint) IsZero() bool { return e == Endpoint{} }

// String is "server/id", or empty for the zero Endpoint.
func (e Endpoint) String() string {
	if e.IsZero() {
		return ""
	}
	return e.text()
}

func (e Endpoint) text() string { return e.Server + "/" + e.ID }

// Compare orders endpoints by server, then by id as CompareID does.
func (e Endpoint) Compare(o Endpoint) int {
	return cmp.Or(cmp.Compare(e.Server, o.Server), CompareID(e.ID, o.ID))
}

// CompareID orders ids for display: whole numbers by value and before other text.
func CompareID(a, b string) int {
	na, nb := isNumber(a), isNumber(b)
	switch {
	case na && nb:
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	case na:
		return -1
	case nb:
		return 1
	}
	return cmp.Compare(a, b)
}

// isNumber reports whether id is a whole number in its shortest spelling.
func isNumber(id string) bool {
	return id != "" && (id[0] != '0' || id == "0") && strings.Trim(id, "0123456789") == ""
}

// MarshalText makes an Endpoint a JSON string and a key of JSON objects.
func (e Endpoint) MarshalText() ([]byte, error) {
	if e.IsZero() {
		return []byte{}, nil
	}
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return []byte(e.text()), nil
}

// UnmarshalText reads what MarshalText writes.
func (e *Endpoint) UnmarshalText(text []byte) (err error) {
	*e = Endpoint{}
	if len(text) > 0 {
		*e, err = ParseEndpoint(string(text))
	}
	return err
}

// MarshalJSON writes the text form.
func (e Endpoint) MarshalJSON() ([]byte, error) {
	text, err := e.MarshalText()
	if err != nil {
		return nil, err
	}
	return json.Marshal(string(text))
}
