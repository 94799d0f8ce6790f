package buswatch

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/rs/zerolog"
)

// TestAStreamIsStuckWhenTooFewCopiesCanBeWritten, as servers of the bus tell it.
func TestAStreamIsStuckWhenTooFewCopiesCanBeWritten(t *testing.T) {
	const (
		well    = `{"status":"ok"}`
		events  = `{"status":"error","errors":[{"type":"STREAM","account":"EDR","stream":"EVENTS","error":"write error: no space left on device"}]}`
		others  = `{"status":"error","errors":[{"type":"STREAM","stream":"ORDERS","error":"x"},{"type":"CONSUMER","stream":"EVENTS","consumer":"rules","error":"x"}]}`
		nothing = "not JSON"
	)
	for name, c := range map[string]struct {
		copies  int
		answers []string
		want    []string
	}{
		"all is well":               {1, []string{well}, nil},
		"the only copy":             {1, []string{events}, []string{"EVENTS"}},
		"one of several servers":    {1, []string{well, events, well}, []string{"EVENTS"}},
		"one copy of three":         {3, []string{well, events, well}, nil},
		"two copies of three":       {3, []string{events, events, well}, []string{"EVENTS"}},
		"streams of other programs": {1, []string{others}, nil},
		"one does not tell":         {1, []string{nothing, events}, []string{"EVENTS"}},
		"none was named":            {1, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := monitors{copies: c.copies, ours: []string{"EVENTS", "JOBS"}, client: &http.Client{}, log: zerolog.Nop()}
			defer m.client.CloseIdleConnections()
			for _, answer := range c.answers {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.String() != "/healthz?details=true" {
						t.Errorf("asked for %s", r.URL)
					}
					w.WriteHeader(http.StatusServiceUnavailable)
					_, _ = w.Write([]byte(answer))
				}))
				defer server.Close()
				m.addresses = append(m.addresses, server.URL+"/")
			}
			why := m.stuck(t.Context())
			if got := slices.Sorted(maps.Keys(why)); !slices.Equal(got, c.want) {
				t.Errorf("stuck = %v, want %v", why, c.want)
			}
		})
	}
}
