// Package notices publishes what happens to jobs: CloudEvents on the bus, described
// by an AsyncAPI document, and lines in the log.
package notices

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/jobs"
)

// Types of the CloudEvents on the bus, a contract with consumers.
const (
	TypeResult     = "edrpipe.job.result.v1"
	TypeTransition = "edrpipe.job.transition.v1"
	TypeStep       = "edrpipe.job.step.v1"
	TypeDecision   = "edrpipe.decision.v1"
	TypePublished  = "edrpipe.published.v1" // what the action publish says
)

// Publisher publishes what happens to jobs.
type Publisher struct {
	Bus    *bus.Bus
	Title  string                     // names the service where a notice is of no server
	Tenant func(server string) string // label of a server; empty: none. Nil: no server has one
}

// Report publishes a report of the scheduler. The id of each notice is derived from
// its content, so that a repeated one is recognised.
func (n Publisher) Report(ctx context.Context, r jobs.Report) error {
	switch {
	case r.Final:
		return n.result(ctx, r.Job)
	case r.Step != nil:
		s := r.Step.Notice()
		s.Job = r.Job.ID
		what := fmt.Sprintf("step-%s-%d-%d", s.ID, s.Item, r.Step.Attempts)
		return n.Bus.Publish(ctx, n.notice(r.Job, TypeStep, JobSubject(r.Job.ID, "step"), what, s.Ended, s))
	case r.Transition != nil:
		t := *r.Transition
		what := fmt.Sprintf("%s-%d", t.State, t.At.UnixNano())
		return n.Bus.Publish(ctx, n.notice(r.Job, TypeTransition, JobSubject(r.Job.ID, string(t.State)), what, t.At, t.Notice(r.Job)))
	}
	return nil
}

// result publishes a job's result, and again for the readers of the tenant of its server
// where that has one.
func (n Publisher) result(ctx context.Context, j *jobs.Job) error {
	notice := n.notice(j, TypeResult, resultSubject(j), "result", j.Ended, j.Result())
	if n.Tenant != nil {
		if tenant := n.Tenant(j.Endpoint.Server); tenant != "" {
			again := notice
			again.Subject = TenantSubject(tenant, strings.TrimPrefix(notice.Subject, "edr."))
			if err := n.Bus.PublishOnce(ctx, again); err != nil {
				return err
			}
		}
	}
	return n.Bus.PublishOnce(ctx, notice)
}

// TenantSubject is edr.tenant.<tenant>.<rest>: what is there is of one tenant only.
func TenantSubject(tenant, rest string) string { return "edr.tenant." + bus.Token(tenant) + "." + rest }

func (n Publisher) notice(j *jobs.Job, typ, subject, what string, at time.Time, data any) bus.Notice {
	return bus.Notice{Subject: subject, ID: j.ID + "-" + what, Type: typ, Source: "edrpipe/" + cmp.Or(j.Endpoint.Server, n.Title), About: "job/" + j.ID, Time: at, Data: data}
}

// resultSubject is edr.results.<rule>.<job>; jobs of people have the rule "manual".
func resultSubject(j *jobs.Job) string {
	rule := j.Rule
	if rule == "" {
		rule = "manual"
	}
	return "edr.results." + bus.Token(rule) + "." + bus.Token(j.ID)
}

// JobSubject is edr.jobs.<job>.<transition>.
func JobSubject(id, what string) string {
	return "edr.jobs." + bus.Token(id) + "." + what
}

// JobSubjects is the subject of a transition of all jobs.
func JobSubjects(what string) string { return "edr.jobs.*." + what }

// Decision records that a match made no job, and why. Job is the id that the job
// would have had.
type Decision struct {
	Job    string     `json:"job"`
	Rule   string     `json:"rule"`
	Event  string     `json:"event"`
	Type   string     `json:"event_type"`
	Server string     `json:"server,omitempty"` // that has the sensor; empty: no configured one
	Sensor looseid.ID `json:"sensor,omitempty"`
	Host   string     `json:"host,omitempty"`
	Reason string     `json:"reason"`
	Detail string     `json:"detail,omitempty"`
	At     time.Time  `json:"at"`
}

// Decision publishes a decision on the subject that the transitions of its job
// would have had.
func (n Publisher) Decision(ctx context.Context, d Decision) error {
	return n.Bus.Publish(ctx, bus.Notice{
		Subject: JobSubject(d.Job, "decision"), ID: d.Job + "-" + d.Reason, Type: TypeDecision,
		Source: "edrpipe/" + cmp.Or(d.Server, n.Title), About: "event/" + d.Event, Time: d.At, Data: d,
	})
}

// ReadDecision decodes what Decision published. A notice of another type is an error.
func ReadDecision(data []byte) (Decision, error) {
	var n struct {
		Type string
		Data Decision
	}
	if err := json.Unmarshal(data, &n); err != nil {
		return Decision{}, fmt.Errorf("decode a decision: %w", err)
	}
	if n.Type != TypeDecision {
		return Decision{}, fmt.Errorf("decode a decision: the notice is of type %q", n.Type)
	}
	return n.Data, nil
}
