package guard_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

// TestTheWordOfSomeIsNotTheWordOfOthers: a rule asks the help desk. While the job
// waits for it a guards file is loaded that asks two leads. Both must agree
// before the step acts, and the help desk's yes does not count for the leads.
func TestTheWordOfSomeIsNotTheWordOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{size: 3, isolated: map[int]time.Time{}}
		g := guard.New(guard.Config{})
		s, err := jobs.New(jobs.Config{Server: f, Admit: func(ctx context.Context, q jobs.Asked) jobs.Verdict {
			ask := guard.Ask{Job: q.Job.ID, Step: q.Step.ID, Action: q.Spec.Name, Sensor: q.Sensor}
			for _, a := range q.Job.Approvals {
				for _, answer := range a.Answers {
					ask.Answers = append(ask.Answers, guard.Answer{By: answer.By, Groups: answer.Groups, Allow: answer.Allow})
				}
			}
			v := g.Admit(ctx, ask)
			out := jobs.Verdict{Decision: map[guard.Decision]jobs.Decision{guard.Deny: jobs.Deny, guard.Hold: jobs.Hold}[v.Decision], Reason: jobs.Reason(v.Reason), Detail: v.Detail}
			if v.Approval != nil {
				out.Approval = &actions.Approval{From: v.Approval.From, Require: v.Approval.Require, Within: v.Approval.Within}
			}
			return out
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = s.Run(ctx) })
		defer running.Wait()
		defer cancel()
		_, err = s.Enqueue(ctx, &jobs.Job{ID: "j", Rule: "r", Submitter: "rule", Sensor: 1, Steps: []actions.Step{{ID: "iso", Uses: "isolate", Approval: &actions.Approval{From: []string{"help-desk"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		policy, err := guard.Load("guards.yaml", []byte("approvals: [{name: leads, actions: isolate, from: leads, require: 2}]"), []guard.Action{{Name: "isolate"}})
		if err != nil {
			t.Fatal(err)
		}
		g.Use(policy)
		for _, who := range []struct{ name, group string }{{"hal", "help-desk"}, {"ann", "leads"}, {"bob", "leads"}} {
			if f.count() != 0 {
				t.Errorf("it acted before %s agreed", who.name)
			}
			if _, err := s.Approve(ctx, "j", jobs.Answer{By: who.name, Groups: []string{who.group}, Allow: true}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if f.count() != 1 {
			j, err := s.Get(ctx, "j")
			t.Errorf("it did not act when all had agreed: %+v, %v", j, err)
		}
	})
}
