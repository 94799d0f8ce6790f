package service

import (
	"errors"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// TestNobodyApprovesTheirOwnJob, nor one that goes on for it; and an answer is to the call
// that was looked at.
func TestNobodyApprovesTheirOwnJob(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 3, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	p.write("guards.yaml", `approvals: [ { name: two, actions: [list_processes] } ]`+"\n")
	p.write("pipeline.yaml", p.read("pipeline.yaml")+"guards: "+p.dir+"/guards.yaml\n")
	r := p.run()
	ada, bob := web.User{Name: "ada", Role: web.Admin}, web.User{Name: "bob", Role: web.Admin}
	j, err := r.console.Submit(t.Context(), ada, web.Submission{Sensor: "1", Steps: []actions.Step{{ID: "list", Uses: "list_processes"}}})
	if err != nil {
		t.Fatal(err)
	}
	ask := r.await1(j.ID)
	if ask.Digest == "" || !ask.Evaluated || len(ask.Unknown) != 0 {
		t.Errorf("the question is %+v, want a digest of the evaluated call", ask)
	}
	for _, name := range []string{"ada", "ADA"} {
		err := r.console.Answer(t.Context(), web.User{Name: name}, j.ID, web.Answer{Step: ask.Step, Allow: true, Digest: ask.Digest})
		if !errors.Is(err, jobs.ErrRefused) || !strings.Contains(err.Error(), "another person") {
			t.Errorf("%s approves her own job: %v", name, err)
		}
	}
	err = r.console.Answer(t.Context(), bob, j.ID, web.Answer{Step: ask.Step, Allow: true, Digest: strings.Repeat("0", 64)})
	if !errors.Is(err, jobs.ErrRefused) || !strings.Contains(err.Error(), "look at it again") {
		t.Errorf("an answer to another call: %v", err)
	}
	if err := r.console.Answer(t.Context(), ada, j.ID, web.Answer{Step: ask.Step, Why: "a mistake"}); err != nil {
		t.Fatalf("ada takes her own job back: %v", err)
	}
	await(t, 20*time.Second, "the denied job's end", func() bool { return len(r.jobs("ended")) == 1 })
	again, err := r.console.Retry(t.Context(), bob, j.ID, "after all")
	if err != nil {
		t.Fatal(err)
	}
	ask = r.await1(again.ID)
	for _, by := range []web.User{ada, bob} {
		if err := r.console.Answer(t.Context(), by, again.ID, web.Answer{Step: ask.Step, Allow: true}); !errors.Is(err, jobs.ErrRefused) {
			t.Errorf("%s approves a retry of ada's job by bob: %v", by.Name, err)
		}
	}
	if err := r.console.Answer(t.Context(), web.User{Name: "eve"}, again.ID, web.Answer{Step: ask.Step, Allow: true, Digest: ask.Digest}); err != nil {
		t.Fatal(err)
	}
	await(t, 20*time.Second, "the approved job's end", func() bool {
		page, err := r.console.Job(t.Context(), again.ID)
		return err == nil && page.State == jobs.Succeeded && page.Job.Approvals[0].Answers[0].Digest == ask.Digest
	})
}

// await1 is the one question of a job.
func (r running) await1(id string) web.Asked {
	r.t.Helper()
	var ask web.Asked
	await(r.t, 20*time.Second, "a question", func() bool {
		page, err := r.console.Job(r.t.Context(), id)
		if err != nil || len(page.Asks) != 1 {
			return false
		}
		ask = page.Asks[0]
		return true
	})
	return ask
}

// TestQuestionsOfEveryKindNeedPeople: a job that is held for a fact that is not known asks
// people as an approval does, and the overview says so.
func TestQuestionsOfEveryKindNeedPeople(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 2, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	p.write("guards.yaml", "protected: [ { name: crown, sensors: sensor.criticality >= 3, deny: [list_processes] } ]\n")
	p.write("pipeline.yaml", p.read("pipeline.yaml")+"guards: "+p.dir+"/guards.yaml\n")
	r := p.run()
	r.publish(start(1, 7), start(2, 8))
	var all []web.Approval
	await(t, time.Minute, "two questions", func() bool {
		var err error
		all, err = r.console.Approvals(t.Context())
		return err == nil && len(all) == 2
	})
	if a := all[0]; a.Job.Reason != jobs.ReasonUnknownFact || len(a.Steps) != 1 || a.Steps[0] != "list_processes" {
		t.Errorf("the question is %+v", a)
	}
	if o, err := r.console.Overview(t.Context(), 1); err != nil || o.Approvals != 2 || !hasNeed(o.Needs, "approval", "2 approvals wait") {
		t.Errorf("the overview counts %d approvals and needs %+v, %v", o.Approvals, o.Needs, err)
	}
}
