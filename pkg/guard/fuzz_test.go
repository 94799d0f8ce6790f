package guard

import (
	"context"
	"errors"
	"testing"
	"time"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/seal"
)

// raw is a Store with one value for each key.
type raw map[string][]byte

func (r raw) Get(_ context.Context, key string) ([]byte, uint64, error) { return r[key], 1, nil }

func (r raw) Put(context.Context, string, []byte, uint64) error { return nil }

// FuzzRecords: whatever the records are, the guard answers; a record that cannot be read
// allows nothing.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(`{"stop":{"by":"ada","at":"2026-01-31T12:00:00Z"},"silences":[{"id":"a","author":"b","comment":"c","created":"2026-01-31T12:00:00Z","expires":"2036-01-31T12:00:00Z"}]}`))
	f.Add([]byte(`{"entries":[{"unit":"sensor/1","at":"2026-01-31T12:00:00Z"}]}`))
	f.Add([]byte(`{"failures":[{"unit":"j","at":"2026-01-31T12:00:00Z"}],"open":{"by":"breaker","at":"2026-01-31T12:00:00Z"}}`))
	limit := Limit{Name: "b", Actions: []string{anything}, Times: 1000, Per: time.Hour}
	q := admission.Request{Job: "j", Step: "s", Rule: "r", Action: "x", Endpoint: edr.Endpoint{Server: "hq", ID: "1"}}
	q.Sensor.ID = "1"
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		for _, key := range []string{controlKey, limit.key(), fuseKey("r")} {
			g := New(Config{Store: raw{key: data}, Policy: &Policy{Budgets: []Limit{limit}, Breaker: Breaker{Failures: 3}}})
			v := g.Admit(t.Context(), q)
			var err error
			switch key {
			case controlKey:
				err = seal.Strict(data, &control{})
			case limit.key():
				err = seal.Strict(data, &ledger{})
			default:
				err = seal.Strict(data, &fuse{})
			}
			if err != nil && v.Decision != admission.Hold {
				t.Errorf("%s is %q, which cannot be read, and the guard says %v", key, data, v)
			}
			if _, err := g.Status(t.Context()); err != nil && !errors.Is(err, seal.ErrForeign) {
				t.Errorf("status with %s = %q: %v", key, data, err)
			}
		}
	})
}
