package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Strict decodes one JSON value of known fields and nothing behind it. Each name in
// required has to be a field of it.
func Strict(data []byte, v any, required ...string) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("it goes on after its JSON value")
	}
	if len(required) == 0 {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for _, name := range required {
		if len(fields[name]) == 0 {
			return fmt.Errorf("its field %q is missing", name)
		}
	}
	return nil
}
