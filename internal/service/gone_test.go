package service

import (
	"fmt"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/health"
	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/edrsim"
)

// externalBus returns the settings of a bus that is another server.
func externalBus(t *testing.T, p *place) (settings string) {
	t.Helper()
	ns := bustest.Serve(t, natsd.Config{Listen: "127.0.0.1:0", Pass: "only-for-this-test", Sync: time.Minute})
	p.write("bus.password", "only-for-this-test")
	return fmt.Sprintf("bus: { url: %q, user: operator, password_file: %s/bus.password }", ns.URL(), p.dir)
}

// TestWhatIsLostOnTheBusComesBack while the service runs, on both kinds of bus; each
// event published afterwards has its job.
func TestWhatIsLostOnTheBusComesBack(t *testing.T) {
	t.Parallel()
	js := func(r running) natsjs.JetStream { return r.bus.JetStream() }
	for name, lose := range map[string]func(running) error{
		"consumer": func(r running) error { return js(r).DeleteConsumer(r.t.Context(), bus.StreamEvents, "rules") },
		"events":   func(r running) error { return js(r).DeleteStream(r.t.Context(), bus.StreamEvents) },
		"dead":     func(r running) error { return js(r).DeleteStream(r.t.Context(), bus.StreamDead) },
		"life":     func(r running) error { return js(r).DeleteStream(r.t.Context(), bus.StreamJobs) },
		"results":  func(r running) error { return js(r).DeleteStream(r.t.Context(), bus.StreamResults) },
		"jobs":     func(r running) error { return js(r).DeleteKeyValue(r.t.Context(), bus.BucketJobs) },
		"finished": func(r running) error { return js(r).DeleteKeyValue(r.t.Context(), bus.BucketFinished) },
		"subjects": func(r running) error {
			stream, err := js(r).Stream(r.t.Context(), bus.StreamEvents)
			if err != nil {
				return err
			}
			config := stream.CachedInfo().Config
			config.Subjects, config.MaxMsgs = []string{"edr.events.nobody.>"}, 1
			_, err = js(r).UpdateStream(r.t.Context(), config)
			return err
		},
	} {
		for _, external := range []bool{false, true} {
			t.Run(map[bool]string{false: "embedded/", true: "external/"}[external]+name, func(t *testing.T) {
				t.Parallel()
				sim := edrsim.New(edrsim.Config{Sensors: 2, CheckIn: 20 * time.Millisecond}).Start()
				defer sim.Close()
				p := newPlace(t, sim, listProcesses, "")
				if external {
					p.write("pipeline.yaml", strings.Replace(p.read("pipeline.yaml"), "bus: { sync: 0s }", externalBus(t, p), 1))
				}
				r := p.run()
				await(t, time.Minute, "the intake", func() bool { return r.check("intake").State == health.OK })
				if err := lose(r); err != nil {
					t.Fatal(err)
				}
				await(t, time.Minute, "what was lost", func() bool {
					_, err := r.bus.Reconcile(t.Context(), func(bus.Change) bool { return false })
					return err == nil && r.sources.bus.Trouble() == nil
				})
				r.publish(start(1, 7), start(2, 8))
				await(t, time.Minute, "both jobs", func() bool { return len(r.jobs("ended")) == 2 })
				await(t, time.Minute, "health", func() bool { return health.Ready(r.health(t.Context())) })
			})
		}
	}
}

// TestLostSwitchesStopEverything: with the bucket of switches the stop of a person is
// lost, and whether there was one cannot be known.
func TestLostSwitchesStopEverything(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	defer sim.Close()
	p := newPlace(t, sim, listProcesses, "")
	stopped := func(r running) bool {
		c := r.check("stop")
		return c.State == health.Degraded && strings.Contains(c.Evidence, "bucket control was deleted")
	}
	t.Run("while it runs", func(t *testing.T) {
		r := p.on(t).run()
		await(t, time.Minute, "the intake", func() bool { return r.check("intake").State == health.OK })
		r.publish(start(1, 6))
		await(t, time.Minute, "a job", func() bool { return len(r.jobs("ended")) == 1 })
		if err := r.bus.JetStream().DeleteKeyValue(t.Context(), bus.BucketControl); err != nil {
			t.Fatal(err)
		}
		await(t, time.Minute, "the stop", func() bool { return stopped(r) })
		if err := r.bus.JetStream().DeleteKeyValue(t.Context(), bus.BucketControl); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("while it was stopped", func(t *testing.T) {
		r := p.on(t).run()
		await(t, time.Minute, "the stop", func() bool { return stopped(r) })
	})
}

// TestALostAuditLogIsTold and makes the service unready.
func TestALostAuditLogIsTold(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	defer sim.Close()
	p := newPlace(t, sim, listProcesses, "")
	p.write("pipeline.yaml", strings.Replace(p.read("pipeline.yaml"), "bus: { sync: 0s }", externalBus(t, p), 1))
	r := p.run()
	await(t, time.Minute, "the intake", func() bool { return r.check("intake").State == health.OK })
	if err := r.bus.JetStream().DeleteStream(t.Context(), bus.StreamAudit); err != nil {
		t.Fatal(err)
	}
	await(t, time.Minute, "the check of the audit log", func() bool {
		c := r.check("audit")
		return !c.Ready() && strings.Contains(c.Evidence, "stream AUDIT was deleted")
	})
}

// TestAPausedIntakeIsNotReady and names who paused what; after the pause all is done.
func TestAPausedIntakeIsNotReady(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	defer sim.Close()
	p := newPlace(t, sim, listProcesses, "")
	p.write("pipeline.yaml", strings.Replace(p.read("pipeline.yaml"), "bus: { sync: 0s }", externalBus(t, p), 1))
	r := p.run()
	await(t, time.Minute, "the intake", func() bool { return r.check("intake").State == health.OK })
	if _, err := r.bus.JetStream().PauseConsumer(t.Context(), bus.StreamEvents, "rules", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	await(t, time.Minute, "the check of the intake", func() bool {
		c := r.check("intake")
		return !c.Ready() && strings.Contains(c.Evidence, "paused")
	})
	r.publish(start(1, 7))
	if _, err := r.bus.JetStream().ResumeConsumer(t.Context(), bus.StreamEvents, "rules"); err != nil {
		t.Fatal(err)
	}
	await(t, time.Minute, "the job", func() bool { return len(r.jobs("ended")) == 1 })
	await(t, time.Minute, "the intake again", func() bool { return r.check("intake").State == health.OK })
}
