package guard_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
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
		s, err := jobs.New(jobs.Config{Server: f, Admit: g.Admit})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = s.Run(ctx) })
		defer running.Wait()
		defer cancel()
		_, err = s.Enqueue(ctx, &jobs.Job{ID: "j", Rule: "r", Submitter: "rule", Endpoint: edr.Endpoint{ID: fmt.Sprint(1)}, Steps: []actions.Step{{ID: "iso", Uses: "isolate", Approval: &actions.Approval{From: []string{"help-desk"}}}}})
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
