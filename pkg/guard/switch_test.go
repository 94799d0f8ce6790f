package guard

import (
	"context"
	"errors"
	"testing"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// TestSwitchesOfAPart hold for one server or one tenant, and for everything beside them.
func TestSwitchesOfAPart(t *testing.T) {
	g := New(Config{Facts: func(_ context.Context, e edr.Endpoint, _ edr.Sensor, s *events.Sensor) {
		if s.Tenant = map[string]string{"hq": "acme", "branch": "acme", "lab": "other"}[e.Server]; s.Tenant != "" {
			s.Known |= events.FactTenant
		}
	}})
	ctx := t.Context()
	on := func(server string) admission.Decision {
		a := admission.Request{Job: server, Step: "a", Action: "kill", Destructive: true, Endpoint: edr.Endpoint{Server: server, ID: "1"}}
		a.Sensor.ID = "1"
		return g.Admit(ctx, a).Decision
	}
	want := func(when string, hq, branch, lab, unlabelled admission.Decision) {
		t.Helper()
		for server, want := range map[string]admission.Decision{"hq": hq, "branch": branch, "lab": lab, "unlabelled": unlabelled} {
			if got := on(server); got != want {
				t.Errorf("%s: %s on %s, want %s", when, got, server, want)
			}
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const allow, hold, shadow = admission.Allow, admission.Hold, admission.Shadow
	hq, acme := Area{Server: "hq"}, Area{Tenant: "acme"}
	want("at first", allow, allow, allow, allow)
	do(g.Stop(ctx, hq, "ann", "it is replaced"))
	want("hq is stopped", hold, allow, allow, allow)
	do(g.Stop(ctx, acme, "ann", "a dispute"))
	want("acme is stopped too", hold, hold, allow, hold) // a tenant that is not known may be the one
	do(g.Resume(ctx, hq, "ann", ""))
	want("acme is still stopped", hold, hold, allow, hold)
	do(g.Stop(ctx, Area{}, "ann", "all"))
	do(g.Resume(ctx, acme, "ann", ""))
	want("everything is stopped", hold, hold, hold, hold)
	do(g.Resume(ctx, Area{}, "ann", ""))
	do(g.SetDryRun(ctx, hq, true, "ann", "a trial"))
	want("hq runs dry", shadow, allow, allow, allow)
	if err := g.Resume(ctx, hq, "ann", ""); !errors.Is(err, ErrNoSwitch) {
		t.Errorf("resuming what is not stopped: %v", err)
	}
	if err := g.Stop(ctx, Area{Server: "hq", Tenant: "acme"}, "ann", ""); err == nil {
		t.Error("a server and a tenant at once are taken")
	}
	s, err := g.Status(ctx)
	if err != nil || s.Stopped != nil || len(s.Stops) != 0 || len(s.DryRuns) != 1 || s.DryRuns[0].Server != "hq" || s.DryRuns[0].By != "ann" {
		t.Errorf("status %+v, %v", s, err)
	}
}

// TestAStopOfAPartIsSeenWithoutTheStore, by the schedulers of its servers alone.
func TestAStopOfAPartIsSeenWithoutTheStore(t *testing.T) {
	g := New(Config{})
	for _, on := range []Area{{Server: "hq"}, {Tenant: "acme"}} {
		if err := g.Stop(t.Context(), on, "ann", "look"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := g.Watch(ctx, func(stopped error) {
		if stopped != nil {
			t.Errorf("everything counts as stopped: %v", stopped)
		}
		cancel()
	}); err != nil {
		t.Fatal(err)
	}
	for on, want := range map[Area]bool{{Server: "hq"}: true, {Server: "lab", Tenant: "acme"}: true, {Server: "lab", Tenant: "other"}: false, {Server: "lab"}: false} {
		if err := g.Stopped(on); errors.Is(err, ErrStopped) != want {
			t.Errorf("%+v: %v, want stopped: %v", on, err, want)
		}
	}
}
