package cloudalerts

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/pkg/cbc"
	"edrpipe/pkg/events"
)

// FuzzPage delivers the results of a search: each alert with an id once as the server sent
// it, and not again when the next window has it too.
func FuzzPage(f *testing.F) {
	for _, seed := range []string{
		`[{"id":"a","backend_timestamp":"2025-11-20T09:14:31.002Z","workflow":{"status":"OPEN"}},{"id":"a","backend_update_timestamp":"2025-11-20T09:20:44.900Z"}]`,
		`[{"id":7,"backend_timestamp":1763630102792}]`, `[{"id":null},{}]`, `[]`, `null`, `[{"id":"a","workflow":null}]`, `[null]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var page []cbc.Alert
		if json.Unmarshal(body, &page) != nil {
			return
		}
		got := 0
		r := &reader{
			Source: Source{Server: "cloud", Log: zerolog.Nop()}, place: &place{Seen: map[string]time.Time{}},
			handle: func(_ context.Context, m events.Message) error {
				if m.Server != "cloud" || !json.Valid(m.Body) {
					t.Errorf("message %+v", m)
				}
				got++
				m.Settle(nil)
				return nil
			},
		}
		want := 0
		for _, a := range page {
			if a.ID != "" {
				want++
			}
		}
		if err := r.deliver(t.Context(), page); err != nil || got != want {
			t.Errorf("%d of %d alerts were delivered, %v", got, want, err)
		}
		if err := r.deliver(t.Context(), page); err != nil || got != want {
			t.Errorf("%d alerts were delivered again, %v", got-want, err)
		}
	})
}

// FuzzPlace reads the file of what has been read: it is refused with its name and the
// cure, or can be used and stored.
func FuzzPlace(f *testing.F) {
	for _, seed := range []string{`{"cursor":"2025-11-20T09:14:02Z","seen":{"a 2025":"2025-11-20T09:14:02Z"}}`, `{}`, `null`, `{"seen":null}`, ``, `{"cursor":5}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		file := filepath.Join(t.TempDir(), "place.json")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := loadPlace(file)
		if err != nil {
			if !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "delete it") {
				t.Errorf("error %v", err)
			}
			return
		}
		a := cbc.Alert{ID: "a", Updated: time.Unix(1763630102, 0)}
		p.note(a, a.Updated)
		if !p.seen(a) {
			t.Error("an alert that was noted is not seen")
		}
		if err := p.save(file); err != nil && !errors.Is(err, os.ErrInvalid) {
			t.Errorf("save: %v", err)
		}
	})
}
