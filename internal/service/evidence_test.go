package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/web"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/edrsim"
)

// A log that is exchanged for another one is good in itself; that it is not the
// one that was there, only what was noted outside of it can tell.
func TestAuditLogThatWasExchanged(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	p.write("audit.key", "only-for-this-test")
	p.write("pipeline.yaml", p.read("pipeline.yaml")+"audit_key_file: "+filepath.Join(p.dir, "audit.key")+"\n")
	ada := web.User{Name: "ada"}
	work := func(t *testing.T, r running) {
		c := r.Service.console
		for _, err := range []error{c.Stop(t.Context(), ada, web.Switching{Why: "to have entries"}), c.Resume(t.Context(), ada, web.Switching{})} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	verify := func(t *testing.T, r running, noted ...audit.Head) web.AuditReport {
		report, err := r.Service.console.Verify(t.Context(), noted)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	t.Run("as it is", func(t *testing.T) {
		r := p.on(t).run()
		work(t, r)
		good := verify(t, r)
		if !good.Good || good.Entries != 2 {
			t.Errorf("a log with a key: %+v", good)
		}
		if heads, err := r.heads.Read(); err != nil || len(heads) == 0 || heads[len(heads)-1] != (audit.Head{Seq: 2, Hash: good.Head}) {
			t.Errorf("noted is %v, %v; want the last entry as soon as it is written", heads, err)
		}
		if again := verify(t, r, audit.Head{Seq: 2, Hash: good.Head}); !again.Good {
			t.Errorf("the entry that was noted is there, and yet: %s", again.Damage)
		}
		if cut := verify(t, r, audit.Head{Seq: 3, Hash: good.Head}); cut.Good || !strings.Contains(cut.Damage, "the end is missing") {
			t.Errorf("an entry behind the end was noted, and the report is %+v", cut)
		}
	})
	if err := os.RemoveAll(filepath.Join(p.dir, "data", "bus")); err != nil {
		t.Fatal(err)
	}
	t.Run("another", func(t *testing.T) {
		r := p.on(t).run()
		if report := verify(t, r); report.Good || !strings.Contains(report.Damage, "the end is missing") {
			t.Errorf("the log is gone, and the report is %+v", report)
		}
		work(t, r)
		work(t, r)
		if report := verify(t, r); report.Good || !strings.Contains(report.Damage, "another one than was noted") {
			t.Errorf("the log is another one, and the report is %+v", report)
		}
	})
}

// What a guard denies at the door leaves a trace that people find by the sensor,
// and in the audit log.
func TestWhyNothingWasDone(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 2, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	p.write("guards.yaml", "protected: [ { name: crown, sensors: sensor.id == \"2\", deny: [list_processes], why: not this one } ]\n")
	p.write("pipeline.yaml", p.read("pipeline.yaml")+"guards: "+filepath.Join(p.dir, "guards.yaml")+"\n")
	r := p.run()
	r.publish(start(2, 8))
	c := r.Service.console
	lines := func() string {
		why, err := c.Why(t.Context(), "sensor:2", web.EventQuery{})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, l := range why.Lines {
			b.WriteString(l.What + " " + l.Text + "\n")
		}
		return b.String()
	}
	await(t, 20*time.Second, "the reason", func() bool { return strings.Contains(lines(), "protected: crown: not this one") })
	if n := len(r.jobs("")); n != 0 {
		t.Errorf("%d jobs", n)
	}
	entries, err := c.AuditTail(t.Context(), 10)
	if err != nil || len(entries) != 1 || !strings.Contains(string(entries[0]), `"reason":"protected"`) {
		t.Errorf("audit log: %s, %v", entries, err)
	}
}
