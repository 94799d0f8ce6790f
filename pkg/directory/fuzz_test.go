package directory

import (
	"errors"
	"maps"
	"testing"

	"edrpipe/pkg/seal"
)

// FuzzTypes: a record of types is read whole or not at all, and can be written again.
func FuzzTypes(f *testing.F) {
	f.Add([]byte(`{"7":"workstation"}`))
	f.Add([]byte(`{"7":"workstation","8":1}`))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		kept := map[string]string{"left": "over"}
		if err := decodeTypes(data, &kept); err != nil {
			if !errors.Is(err, seal.ErrForeign) || len(kept) != 0 {
				t.Errorf("%s: %v, and %v was read", data, err, kept)
			}
			return
		}
		if _, left := kept["left"]; left && len(data) == 0 {
			t.Error("an empty record leaves what was there")
		}
		written, err := merged(map[string]string{"new": "server"})(data)
		if err != nil {
			t.Fatalf("%s is read, and cannot be written: %v", data, err)
		}
		again := map[string]string{}
		if err := decodeTypes(written, &again); err != nil || again["new"] != "server" {
			t.Errorf("written as %s: %v, %v", written, again, err)
		}
		kept["new"] = "server"
		if !maps.Equal(kept, again) {
			t.Errorf("%v became %v", kept, again)
		}
	})
}
