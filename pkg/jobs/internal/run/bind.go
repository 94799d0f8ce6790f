package run

import (
	"context"
	"slices"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/jobs/job"
)

// binder gives the steps of a job their values; cleanup is for those of OnFailure.
func (x *Execution) binder(cleanup bool) *actions.Binder {
	x.mu.Lock()
	defer x.mu.Unlock()
	b := &x.chainBinder
	if cleanup {
		b = &x.failureBinder
	}
	if *b == nil {
		*b = newBinder(x.job, cleanup, x.cfg.Lists)
	}
	return *b
}

func newBinder(j *job.Job, cleanup bool, lists expression.Lists) *actions.Binder {
	site := actions.Site{Event: expression.EventScope().WithLists(lists), Failure: cleanup}
	for name := range j.Vars {
		site.Vars = append(site.Vars, expression.Field{Name: name, Type: expression.AnyType})
	}
	slices.SortFunc(site.Vars, func(a, b expression.Field) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	if j.Correlated != nil {
		site.Correlated = expression.AnyType
	}
	if cleanup {
		site.Before = j.Steps
		return actions.NewBinder(j.OnFailure, site)
	}
	return actions.NewBinder(j.Steps, site)
}

// scope is what steps' expressions see, but for the results of steps.
func (x *Execution) scope(ctx context.Context) actions.Scope {
	event := x.knowing(ctx)
	x.mu.Lock()
	defer x.mu.Unlock()
	j := x.job
	s := actions.Scope{
		Event: event, Vars: j.Vars, Correlated: j.Correlated,
		Job: actions.JobInfo{
			ID: j.ID, Server: j.Endpoint.Server, Sensor: j.Endpoint.ID, Host: j.Host, Priority: string(j.Priority), Mode: j.Mode, Created: j.Created,
		},
		Rule: actions.RuleInfo{ID: j.Rule, Digest: j.Digest},
	}
	if j.About != nil {
		s.Rule = *j.About
	}
	return s
}
