package notices

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzReadDecision: what is read as a decision is one by its type, and is the same when it
// is published and read again.
func FuzzReadDecision(f *testing.F) {
	type notice struct {
		Type string   `json:"type"`
		Data Decision `json:"data"`
	}
	for _, kind := range []string{TypeDecision, TypeTransition} {
		data, err := json.Marshal(notice{kind, Decision{Job: "a", Reason: "budget", Detail: "5 & more <", At: time.Unix(1767323045, 0).UTC()}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"type":"` + TypeDecision + `"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ReadDecision(data)
		if err != nil {
			if d != (Decision{}) {
				t.Fatalf("%v, and yet %+v", err, d)
			}
			return
		}
		var kind struct{ Type string }
		if json.Unmarshal(data, &kind) != nil || kind.Type != TypeDecision {
			t.Fatalf("a notice of type %q was read as a decision", kind.Type)
		}
		written, err := json.Marshal(notice{TypeDecision, d})
		if err != nil {
			return // a year that JSON cannot have
		}
		again, err := ReadDecision(written)
		if err != nil || !again.At.Equal(d.At) {
			t.Fatalf("%s: %v, %v, want %v", written, again.At, err, d.At)
		}
		if again.At = d.At; again != d {
			t.Errorf("%+v became %+v", d, again)
		}
	})
}
