package service

import (
	"context"
	"fmt"
	"time"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/jobs"
)

// Types of the CloudEvents on the bus, a contract with consumers.
const (
	typeResult     = "edrpipe.job.result.v1"
	typeTransition = "edrpipe.job.transition.v1"
	typeStep       = "edrpipe.job.step.v1"
	typeDecision   = "edrpipe.decision.v1"
	typePublished  = "edrpipe.published.v1" // what the action publish says
)

// notices puts what happens to jobs on the bus.
type notices struct {
	bus    *bus.Bus
	server string // name of the EDR server
}

// report is the scheduler's way to the bus. Each notice has an id made of what it
// tells, so that a repeated one is recognised.
func (n notices) report(ctx context.Context, r jobs.Report) error {
	switch {
	case r.Final:
		return n.bus.PublishOnce(ctx, n.notice(r.Job, typeResult, resultSubject(r.Job), "result", r.Job.Ended, r.Job.Result()))
	case r.Step != nil:
		s := r.Step.Notice()
		s.Job = r.Job.ID
		what := fmt.Sprintf("step-%s-%d-%d", s.ID, s.Item, r.Step.Attempts)
		return n.bus.Publish(ctx, n.notice(r.Job, typeStep, jobSubject(r.Job.ID, "step"), what, s.Ended, s))
	case r.Transition != nil:
		t := *r.Transition
		what := fmt.Sprintf("%s-%d", t.State, t.At.UnixNano())
		return n.bus.Publish(ctx, n.notice(r.Job, typeTransition, jobSubject(r.Job.ID, string(t.State)), what, t.At, t.Notice(r.Job)))
	}
	return nil
}

func (n notices) notice(j *jobs.Job, typ, subject, what string, at time.Time, data any) bus.Notice {
	return bus.Notice{Subject: subject, ID: j.ID + "-" + what, Type: typ, Source: "edrpipe/" + n.server, About: "job/" + j.ID, Time: at, Data: data}
}

// resultSubject is edr.results.<rule>.<job>; jobs of people have the rule "manual".
func resultSubject(j *jobs.Job) string {
	rule := j.Rule
	if rule == "" {
		rule = "manual"
	}
	return "edr.results." + bus.Token(rule) + "." + bus.Token(j.ID)
}

// jobSubject is edr.jobs.<job>.<transition>.
func jobSubject(id, what string) string {
	return "edr.jobs." + bus.Token(id) + "." + what
}

// jobSubjects names a transition of all jobs.
func jobSubjects(what string) string { return "edr.jobs.*." + what }

// Decision tells that a match made no job, and why. Job is the id that the job
// would have had.
type Decision struct {
	Job    string    `json:"job"`
	Rule   string    `json:"rule"`
	Event  string    `json:"event"`
	Type   string    `json:"event_type"`
	Sensor int       `json:"sensor,omitempty"`
	Host   string    `json:"host,omitempty"`
	Reason string    `json:"reason"`
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at"`
}

// decision puts a decision where the life of its job would have been.
func (n notices) decision(ctx context.Context, d Decision) error {
	return n.bus.Publish(ctx, bus.Notice{
		Subject: jobSubject(d.Job, "decision"), ID: d.Job + "-" + d.Reason, Type: typeDecision,
		Source: "edrpipe/" + n.server, About: "event/" + d.Event, Time: d.At, Data: d,
	})
}
