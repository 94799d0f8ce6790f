package service

import (
	"errors"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/health"
	"edrpipe/internal/web"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// TestAnOpenBreakerIsSeenAndReset: health, the overview and a metric name it, and a
// person closes it, with a reason in the audit log.
func TestAnOpenBreakerIsSeenAndReset(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	p.write("guards.yaml", "breaker: { jobs: 3, per: 10m }\n")
	p.write("pipeline.yaml", p.read("pipeline.yaml")+"\nguards: "+p.dir+"/guards.yaml\n")
	r := p.run()
	ada := web.User{Name: "ada"}
	await(t, time.Minute, "the breakers are known", func() bool { return r.check("breakers").State == health.OK })
	if err := r.Service.console.ResetBreaker(t.Context(), ada, "list", "too early"); !errors.Is(err, jobs.ErrRefused) {
		t.Errorf("reset of a closed breaker: %v", err)
	}
	if err := r.Service.console.ResetBreaker(t.Context(), ada, "lost", "no such rule"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("reset of no rule: %v", err)
	}
	r.publish(start(1, 1), start(1, 2), start(1, 3), start(1, 4))
	await(t, time.Minute, "the check of the breakers", func() bool {
		c := r.check("breakers")
		return c.State == health.Degraded && strings.Contains(c.Evidence, "list (4 jobs within 10m0s, 3 are allowed)") && !c.Since.IsZero()
	})
	if o, err := r.Service.console.Overview(t.Context(), 1); err != nil || !hasNeed(o.Needs, "breaker", "rule list") {
		t.Errorf("the overview needs %+v, %v", o.Needs, err)
	}
	if err := r.Service.console.ResetBreaker(t.Context(), ada, "list", "they were mine"); err != nil {
		t.Fatal(err)
	}
	await(t, time.Minute, "the closed breaker", func() bool { return r.check("breakers").State == health.OK })
	if o, err := r.Service.console.Overview(t.Context(), 1); err != nil || hasNeed(o.Needs, "breaker", "") {
		t.Errorf("after the reset the overview needs %+v, %v", o.Needs, err)
	}
	var resets []audit.Entry
	err := audit.Read(t.Context(), auditStore(r.bus), r.auditKey, func(e audit.Entry) error {
		if e.What == "reset" {
			resets = append(resets, e)
		}
		return nil
	})
	if err != nil || len(resets) != 1 || resets[0].By != "ada" || resets[0].Rule != "list" || resets[0].Text != "they were mine" {
		t.Errorf("audit: %+v, %v", resets, err)
	}
}

func hasNeed(all []web.Need, kind, text string) bool {
	for _, n := range all {
		if n.Kind == kind && strings.Contains(n.Text, text) {
			return true
		}
	}
	return false
}
