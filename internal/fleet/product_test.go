package fleet

import (
	"errors"
	"strings"
	"testing"

	"edrpipe/pkg/directory"
	"edrpipe/pkg/events"
)

// TestAServerTakesItsProductsEvents: ids are numbers in both products, so that an event
// that comes to a server of the other one is of no endpoint that we know.
func TestAServerTakesItsProductsEvents(t *testing.T) {
	t.Parallel()
	const start, alert = "ingress.event.procstart", "alert.watchlist.hit.query.process"
	for name, tc := range map[string]struct {
		kind, typ, server, bound string
		taken                    bool
	}{
		"a start of the server's":                 {events.ProductEDR, start, "", "", true},
		"an alert of the server's":                {events.ProductEDR, alert, "cbserver", "", true},
		"a new type of the server's":              {events.ProductEDR, "ingress.event.new", "cbserver", "", true},
		"a type that is of no product":            {events.ProductCloud, "of.ours", "", "", true},
		"a kind that is not told":                 {"", "endpoint.event.procstart", "", "", true},
		"a start of the cloud":                    {events.ProductCloud, "endpoint.event.procstart", "", "", true},
		"the cloud's, to the only server":         {events.ProductEDR, "endpoint.event.procstart", "", "", false},
		"the cloud's, to a bound server":          {events.ProductEDR, "endpoint.event.new", "", "hq", false},
		"the cloud's, by a name that is accepted": {events.ProductEDR, "alert.cloud.watchlist", "cbserver", "", false},
		"the server's, to the only cloud":         {events.ProductCloud, start, "", "", false},
		"the server's alert, to a bound cloud":    {events.ProductCloud, alert, "", "hq", false},
		"a new type of alert, to the cloud":       {events.ProductCloud, "alert.new", "", "hq", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &Member{Name: "hq", Kind: tc.kind, Accept: []string{"cbserver"}, Directory: directory.New(directory.Config{})}
			f, err := New(Config{Members: []*Member{m}})
			if err != nil {
				t.Fatal(err)
			}
			e := &events.Event{}
			e.Event.Type, e.Event.Server, e.Event.Bound = tc.typ, tc.server, tc.bound
			if tc.bound != "" {
				e.Event.Server = tc.bound
			}
			got, err := f.Of(e)
			if tc.taken {
				if got != m || err != nil {
					t.Errorf("%v, %v", got, err)
				}
				return
			}
			var other *OtherServer
			if !errors.As(err, &other) || got != nil || !strings.Contains(err.Error(), "is one of "+other.Product+" and comes to server hq, which is a "+tc.kind) {
				t.Errorf("%v, %v", got, err)
			}
			f.Arrived(e)
			f.Arrived(e)
			if text := f.OthersText(); !strings.HasPrefix(text, "2 events of "+other.Product+" come to server hq, which is of another kind: bind ") {
				t.Errorf("text %q", text)
			}
		})
	}
}
