package examples

import (
	"testing"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/endpoints"
	"edrpipe/pkg/events"
)

// TestEndpoints: the example tells the type of each kind of host in it, and not that of
// others.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	book, err := endpoints.Read("endpoints.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		of   edr.Sensor
		want string
	}{
		{edr.Sensor{Hostname: "WKS-0001"}, "workstation"},
		{edr.Sensor{Hostname: "srv-12.corp.example"}, "server"},
		{edr.Sensor{Hostname: "srv-12", Group: "Domain Controllers"}, "domain_controller"},
		{edr.Sensor{Hostname: "kiosk-1"}, ""},
	} {
		var s events.Sensor
		book.Facts(endpoints.SubjectOf("hq", c.of)).Fill(&s)
		if s.Type != c.want {
			t.Errorf("%s of %q is a %q, want %q", c.of.Hostname, c.of.Group, s.Type, c.want)
		}
	}
}
