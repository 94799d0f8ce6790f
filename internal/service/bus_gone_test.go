package service

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/internal/natsd"
	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
)

// TestWithTheBusGone the overview and why answer, with the bus as the cause.
func TestWithTheBusGone(t *testing.T) {
	t.Parallel()
	conf := natsd.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Pass: "gone", Sync: time.Minute, Log: zerolog.Nop()}
	nats, err := natsd.Start(conf)
	if err != nil {
		t.Fatal(err)
	}
	conf.Listen = strings.TrimPrefix(nats.URL(), "nats://")
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	if err := sim.SetPower(1, false); err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, sim, listProcesses, "")
	p.write("bus.password", "gone")
	cfg, _, err := config.Load(filepath.Join(p.dir, "pipeline.yaml"), nil, map[string]string{
		"bus.url": nats.URL(), "bus.user": "operator", "bus.password_file": filepath.Join(p.dir, "bus.password"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nats.Close() }) // after the service
	r := p.runWith(cfg, zerolog.Nop())
	r.publish(start(1, 1))
	await(t, time.Minute, "a job", func() bool { return len(r.jobs("live")) == 1 })
	id := r.jobs("live")[0].ID
	if err := nats.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, time.Minute, "why", func() bool {
		why, err := r.Service.console.Why(t.Context(), id, web.EventQuery{})
		return err == nil && len(why.Lines) > 0 && strings.Contains(why.Lines[0].Text, "cannot be read now: bus: failed: ")
	})
	o, err := r.Service.console.Overview(t.Context(), 1)
	if err != nil || !hasNeed(o.Needs, "check", "bus: failed: ") || !hasNeed(o.Needs, "check", "it cannot be read now what else needs people: ") {
		t.Errorf("the overview: %+v, %v", o.Needs, err)
	}
	if nats, err = natsd.Start(conf); err != nil {
		t.Fatal(err)
	}
	await(t, time.Minute, "the job again", func() bool {
		why, err := r.Service.console.Why(t.Context(), id, web.EventQuery{})
		return err == nil && len(why.Lines) > 0 && why.Lines[0].What == "arrived"
	})
}
