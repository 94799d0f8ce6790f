package intake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"edrpipe/pkg/events"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/seal"
	"edrpipe/pkg/shares"
	"edrpipe/rules"
)

// Reasons of matches that make no job because the event's endpoint is at a bound. Their
// messages are dead letters of the same reason.
const (
	EndpointEvents  = "endpoint_events"
	EndpointJobs    = "endpoint_jobs"
	SuppressionFull = "suppression_full"
)

// Bounds of what events of one endpoint may do. 0: there is none.
type Bounds struct {
	Events int // that rules match, in a second, on this replica
	Jobs   int // that rules make in an hour, on all replicas
}

// Reached is an endpoint that is at one of the Bounds.
type Reached struct {
	Endpoint, Reason string
	At               time.Time // the last time
}

// Dead letters of one endpoint that is at a bound: more would push those of others out of
// their stream. maxEndpoints bounds how many endpoints this replica tells apart.
const (
	keptAnHour   = 1000
	maxEndpoints = 50_000
	maxReached   = 1000
)

// bounded holds what is counted of endpoints on this replica. Its methods are safe for
// concurrent use.
type bounded struct {
	mu      sync.Mutex
	events  map[string]*rate.Limiter
	letters map[string]*rate.Limiter
	reached map[Reached]time.Time // At is zero in the key
}

// allow takes one from the rate of an endpoint.
func (b *bounded) allow(of *map[string]*rate.Limiter, endpoint string, every rate.Limit, burst int, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := (*of)[endpoint]
	if l == nil {
		if *of == nil || len(*of) >= maxEndpoints {
			*of = idle(*of, now)
		}
		l = rate.NewLimiter(every, burst)
		(*of)[endpoint] = l
	}
	return l.AllowN(now, 1)
}

// idle returns the endpoints that have used up something; none where that are too many.
func idle(all map[string]*rate.Limiter, now time.Time) map[string]*rate.Limiter {
	kept := map[string]*rate.Limiter{}
	for endpoint, l := range all {
		if l.TokensAt(now) < float64(l.Burst()) && len(kept) < maxEndpoints/2 {
			kept[endpoint] = l
		}
	}
	return kept
}

func (b *bounded) note(endpoint, reason string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reached == nil || len(b.reached) >= maxReached {
		b.reached = map[Reached]time.Time{}
	}
	b.reached[Reached{Endpoint: endpoint, Reason: reason}] = now
}

// Reached lists the endpoints that were at one of the Bounds since a time, the latest
// first.
func (in *Intake) Reached(since time.Time) (all []Reached) {
	in.bounded.mu.Lock()
	defer in.bounded.mu.Unlock()
	for r, at := range in.bounded.reached {
		if r.At = at; !at.Before(since) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b Reached) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

// overrun takes what is of endpoints beyond their rate of events out of a message, and
// returns why it makes no job.
func (in *Intake) overrun(ctx context.Context, f *finding) (refused []*candidate, err error) {
	if in.Bounds.Events <= 0 || f.canary {
		return nil, nil
	}
	type part struct{ event, endpoint string } // rules may have copies of an event
	verdicts := map[part]bool{}
	over := func(e *events.Event) bool {
		at := part{e.Event.ID, endpointOf(e)}
		v, known := verdicts[at]
		if !known {
			v = !in.bounded.allow(&in.bounded.events, at.endpoint, rate.Limit(in.Bounds.Events), in.Bounds.Events, in.Now())
			verdicts[at] = v
		}
		return v
	}
	drop := func(m rules.Match) {
		a := &candidate{set: f.set, match: &m}
		a.refuse(EndpointEvents, "more than %d events of endpoint %s in a second (limits.endpoint_events)", in.Bounds.Events, endpointOf(m.Event))
		refused = append(refused, a)
	}
	f.found.Matches = slices.DeleteFunc(slices.Clone(f.found.Matches), func(m rules.Match) bool {
		if !over(m.Event) {
			return false
		}
		drop(m)
		return true
	})
	f.found.Unclear = slices.DeleteFunc(slices.Clone(f.found.Unclear), func(u rules.Unclear) bool {
		if !over(u.Event) {
			return false
		}
		drop(rules.Match{Rule: u.Rule, Event: u.Event})
		return true
	})
	for _, a := range refused {
		if err := in.keepBeyond(ctx, a, &f.msg); err != nil {
			return nil, err
		}
	}
	return refused, nil
}

// keepBeyond notes that an endpoint is at a bound, and keeps the message of a refused
// match as a dead letter.
func (in *Intake) keepBeyond(ctx context.Context, a *candidate, m *events.Message) error {
	endpoint := endpointOf(a.match.Event)
	in.Metrics.Bounds.WithLabelValues(a.match.Rule.ID, a.reason).Inc()
	if a.reason == EndpointEvents || a.reason == EndpointJobs {
		in.bounded.note(endpoint, a.reason, in.Now())
	}
	if !in.bounded.allow(&in.bounded.letters, endpoint, rate.Every(time.Hour/keptAnHour), keptAnHour, in.Now()) {
		a.detail += fmt.Sprintf("; no dead letter, as the endpoint has %d of this hour: the event is on the bus as long as bus.events says", keptAnHour)
		return nil
	}
	return in.Dead.Write(ctx, a.reason, *m, errors.New(a.detail))
}

// endpointOf names the endpoint on whose account an event counts.
func endpointOf(e *events.Event) string {
	id := e.Sensor.ID
	if id == "" {
		id = e.Sensor.Hostname
	}
	return shares.Of("", "", e.Sensor.Server, id).Endpoint
}

const jobsPer = time.Hour

// jobsRecord is where the jobs are counted that events of an endpoint make.
func jobsRecord(endpoint string) shares.Record {
	return shares.Record{Key: rules.StateKey("jobs", endpoint), Owner: shares.Owner{Use: "jobs", Endpoint: endpoint}, Together: true}
}

// countJob counts a job against what its event's endpoint may make in an hour. Beyond it
// the job is refused.
func (in *Intake) countJob(ctx context.Context, a *candidate, m *events.Message) error {
	if in.Bounds.Jobs <= 0 {
		return nil
	}
	endpoint := endpointOf(a.match.Event)
	var until time.Time
	err := in.changeCount(ctx, endpoint, func(c *guard.Count) (changed bool) {
		until, changed = c.Take(a.job.ID, in.Bounds.Jobs, jobsPer, in.Now().UTC())
		return changed
	})
	var full *shares.Full
	switch {
	case errors.Is(err, seal.ErrForeign): // how many there were is not known
		a.refuse(rules.StateForeign, "%s", err)
		return in.unverified(ctx, m, err)
	case errors.As(err, &full):
		a.refuse(EndpointJobs, "the jobs of endpoint %s cannot be counted: %s", endpoint, full)
	case err != nil:
		return fmt.Errorf("count jobs of endpoint %s: %w", endpoint, err)
	case until.IsZero():
		a.ofEndpoint = true
		return nil
	default:
		a.refuse(EndpointJobs, "events of endpoint %s have made %d jobs in an hour (limits.endpoint_jobs); again from %s", endpoint, in.Bounds.Jobs, until.UTC().Format(time.RFC3339))
	}
	a.ofEndpoint = true
	return in.keepBeyond(ctx, a, m)
}

// settleJobs ends the memory of answers to jobs whose events do not come again.
func (in *Intake) settleJobs(ctx context.Context, endpoint string, ids []string) error {
	return in.changeCount(ctx, endpoint, func(c *guard.Count) bool { return c.Settle(ids, jobsPer, in.Now().UTC()) })
}

var errUnchanged = errors.New("nothing new")

func (in *Intake) changeCount(ctx context.Context, endpoint string, change func(*guard.Count) bool) error {
	err := in.State.Update(ctx, jobsRecord(endpoint), jobsPer, func(data []byte) ([]byte, error) {
		var c guard.Count
		if data != nil {
			if err := seal.Strict(data, &c); err != nil {
				return nil, fmt.Errorf("jobs of endpoint %s: %w: %w", endpoint, seal.ErrForeign, err)
			}
		}
		if !change(&c) {
			return nil, errUnchanged
		}
		return json.Marshal(c)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// heldForDoubt has a person decide on a job of which it is not known whether its rule
// matches.
func heldForDoubt(j *jobs.Job, why string) {
	j.State, j.Reason, j.Detail = jobs.Held, jobs.ReasonApproval, why
	j.Approvals = []jobs.Question{{Require: 1, Until: j.Deadline, Otherwise: "deny"}}
}
