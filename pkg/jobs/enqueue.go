package jobs

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"golang.org/x/sync/errgroup"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs/job"
)

// Enqueue records jobs, all of them or none; when it returns nil they survive a
// crash. It fills in what is zero: ID, Created, Server, Priority, Deadline and
// the step ids. A job whose ID is known already, live or finished, is left as it
// is: created tells which are new. A job may come as Held, with a Reason and, where
// people have to answer, Approvals; or as Parked with a WakeAt.
func (s *Scheduler) Enqueue(ctx context.Context, js ...*Job) (created []bool, err error) {
	now := s.cfg.Now()
	var last time.Time
	for _, j := range js {
		if err := s.complete(j, now); err != nil {
			return nil, err
		}
		if !j.Created.After(last) { // jobs of one batch keep their order
			j.Created = last.Add(time.Nanosecond)
		}
		last = j.Created
	}
	replaced := s.applyPolicies(js, now)
	turns := s.records.sequencer.turns(idsOf(js)...)
	created, err = s.cfg.Store.Create(ctx, js)
	if err != nil {
		created = make([]bool, len(js))
		err = fmt.Errorf("record %d jobs: %w", len(js), err)
	}
	for i, j := range js {
		if created[i] {
			s.mu.Lock()
			s.note(j)
			s.poke()
			s.mu.Unlock()
		}
	}
	var reports errgroup.Group
	reports.SetLimit(reportsAtOnce)
	for i, j := range js {
		reports.Go(func() error {
			turns[i].tell(func() {
				if created[i] {
					s.records.report(ctx, Report{Job: j, Transition: &j.History[0]})
				}
			})
			return nil
		})
	}
	_ = reports.Wait()
	if err != nil {
		return nil, err
	}
	return created, s.settlePolicies(ctx, js, created, replaced)
}

func idsOf(js []*Job) []string {
	ids := make([]string, len(js))
	for i, j := range js {
		ids[i] = j.ID
	}
	return ids
}

// reportsAtOnce is how many new jobs are reported at once.
const reportsAtOnce = 500

// A job's id becomes part of keys and subjects.
var goodID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// complete fills in what is zero and refuses what cannot be a job.
func (s *Scheduler) complete(j *Job, now time.Time) error {
	if j.ID == "" {
		j.ID = NewID()
	}
	if j.Endpoint.Server == "" {
		j.Endpoint.Server = s.cfg.Server.Name()
	}
	if j.Priority == "" {
		j.Priority = Normal
	}
	if j.Created.IsZero() {
		j.Created = now
	}
	if j.Deadline.IsZero() {
		j.Deadline = now.Add(s.cfg.Wait)
		if j.WakeAt.After(now) {
			j.Deadline = j.WakeAt.Add(s.cfg.Wait)
		}
	}
	if j.State == "" {
		j.State = Queued
	}
	known := j.Priority.Valid()
	switch {
	case !goodID.MatchString(j.ID):
		return fmt.Errorf("job id %q: letters, digits, - and _ only, at most 100", j.ID)
	case j.Endpoint.Server != s.cfg.Server.Name():
		return fmt.Errorf("job %s is for server %q, this scheduler works on %q", j.ID, j.Endpoint.Server, s.cfg.Server.Name())
	case !known:
		return fmt.Errorf("job %s: priority %q is none of critical, high, normal, low", j.ID, j.Priority)
	case j.Endpoint.ID == "":
		return fmt.Errorf("job %s names no sensor", j.ID)
	case j.Endpoint.Validate() != nil:
		return fmt.Errorf("job %s: %w", j.ID, j.Endpoint.Validate())
	case len(j.Steps) == 0:
		return fmt.Errorf("job %s has no steps", j.ID)
	case !j.State.Waiting():
		return fmt.Errorf("job %s cannot begin as %s", j.ID, j.State)
	}
	nameSteps(j.Steps, "step")
	nameSteps(j.OnFailure, "on-failure")
	j.Updated = now
	if len(j.History) == 0 {
		j.History = []Transition{{At: now, State: j.State, Reason: j.Reason, Detail: j.Detail}}
	}
	return nil
}

// nameSteps gives steps without an id one by position.
func nameSteps(steps []actions.Step, prefix string) {
	for i := range steps {
		if steps[i].ID == "" {
			steps[i].ID = fmt.Sprintf("%s-%d", prefix, i+1)
		}
		nameSteps(steps[i].Parallel, steps[i].ID)
	}
}

// applyPolicies ends new jobs that others of their group make needless, and lists
// for each the jobs that it replaces. It sees this replica's view: two simultaneous
// events on two replicas may both get their job.
func (s *Scheduler) applyPolicies(js []*Job, now time.Time) (replaced map[string][]string) {
	replaced = map[string][]string{}
	batch := map[string]string{} // group → job of this batch
	for _, j := range js {
		if j.Group == "" || j.Policy == "" || j.Policy == Queue {
			continue
		}
		others := s.ofGroup(j)
		if id := batch[j.Group]; id != "" && id != j.ID {
			others = append(others, id)
		}
		batch[j.Group] = j.ID
		if len(others) == 0 {
			continue
		}
		switch j.Policy {
		case Join:
			j.Enter(job.Move{To: Cancelled, Reason: ReasonJoined, Detail: "job " + others[0] + " does it"}, now)
		case Drop:
			j.Enter(job.Move{To: Denied, Reason: ReasonDropped, Detail: "job " + others[0] + " is under way"}, now)
		case Replace:
			replaced[j.ID] = others
			continue
		}
		j.History = j.History[len(j.History)-1:]
		batch[j.Group] = others[0]
	}
	return replaced
}

// settlePolicies ends the new jobs that were needless from the start, and those
// that new ones replace.
func (s *Scheduler) settlePolicies(ctx context.Context, js []*Job, created []bool, replaced map[string][]string) error {
	for i, j := range js {
		if !created[i] {
			continue
		}
		if j.State.Terminal() {
			s.records.conclude(ctx, j)
		}
		for _, id := range replaced[j.ID] {
			if err := s.replace(ctx, id, j); err != nil {
				return err
			}
		}
	}
	return nil
}

// replace ends a job in favour of a newer one.
func (s *Scheduler) replace(ctx context.Context, id string, by *Job) error {
	_, err := s.Cancel(ctx, id, by.Submitter, "replaced by job "+by.ID)
	if errors.Is(err, ErrNoJob) {
		return nil
	}
	return err
}
