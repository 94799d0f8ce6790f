package service

import (
	"testing"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
)

// TestGroupsOfTwoServersAreToldApart: the same number is another group on another server,
// and the same name another server's group, for the file as for the facts.
func TestGroupsOfTwoServersAreToldApart(t *testing.T) {
	t.Parallel()
	fleets := map[string][]edrsim.SensorSpec{
		"hq":     {{Group: "Servers", GroupID: 7}, {Group: "Kiosks", GroupID: 8}},
		"branch": {{Group: "Kiosks", GroupID: 7}, {Group: "Servers", GroupID: 8}},
	}
	sims := map[string]*edrsim.Server{}
	for name, fleet := range fleets {
		sims[name] = edrsim.New(edrsim.Config{CheckIn: 20 * time.Millisecond, Fleet: fleet}).Start()
		t.Cleanup(sims[name].Close)
	}
	p := newServersPlace(t, sims, listProcesses, nil, "endpoints: DIR/endpoints.yaml\n")
	p.write("endpoints.yaml", "endpoints: [ { group: Servers, server: hq, type: server }, { group: Kiosks, server: branch, type: workstation } ]")
	r := p.run()
	for _, m := range r.members {
		await(t, 20*time.Second, "the directory of "+m.Name, m.Directory.Whole)
	}
	for at, want := range map[edr.Endpoint][2]string{
		{Server: "hq", ID: "1"}:     {"Servers", "server"},
		{Server: "hq", ID: "2"}:     {"Kiosks", ""},
		{Server: "branch", ID: "1"}: {"Kiosks", "workstation"},
		{Server: "branch", ID: "2"}: {"Servers", ""},
	} {
		var s events.Sensor
		if r.facts(t.Context(), at, edr.Sensor{}, &s); s.Group != want[0] || s.Type != want[1] {
			t.Errorf("%s is in group %q and of type %q, want %q", at, s.Group, s.Type, want)
		}
	}
}
