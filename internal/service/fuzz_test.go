package service

import (
	"encoding/json"
	"errors"
	"testing"

	"edrpipe/pkg/seal"
)

// FuzzContainment: what is read of who wants what contained is of its key, and the same
// when it is written and read again; what is not read leaves nothing.
func FuzzContainment(f *testing.F) {
	f.Add([]byte(`{"key":"isolate hq/7","reasons":[{"job":"a","step":"b","since":"2026-01-31T12:00:00Z"}]}`))
	f.Add([]byte(`{"key":"isolate hq/8"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decodeContainment(data, "isolate hq/7")
		if err != nil {
			if !errors.Is(err, seal.ErrForeign) || c.Key != "" || len(c.Reasons) != 0 {
				t.Errorf("%s: %v, and it was read as %+v", data, err, c)
			}
			return
		}
		written, err := json.Marshal(c)
		if err != nil || c.Key != "isolate hq/7" {
			t.Fatalf("%s is read as %+v and written with %v", data, c, err)
		}
		if again, err := decodeContainment(written, c.Key); err != nil || len(again.Reasons) != len(c.Reasons) {
			t.Errorf("%s: %+v, %v", written, again, err)
		}
	})
}

// FuzzNames: names of servers are read whole, and are the same when written.
func FuzzNames(f *testing.F) {
	f.Add([]byte(`["hq","branch"]`))
	f.Add([]byte(`["hq",7]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		names, err := decodeNames(data)
		if err != nil {
			return
		}
		written, err := json.Marshal(names)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decodeNames(written); err != nil || len(again) != len(names) {
			t.Errorf("%s became %s: %v, %v", data, written, again, err)
		}
	})
}
