package jobs

import (
	"context"
	"strconv"
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// Cancel requests the end of a job. A waiting job ends at once. For a running one a
// command that the sensor has not begun is retracted; one that runs on the sensor is
// left to finish, as the job's detail then states. Cancelling an ended job is no error.
func (s *Scheduler) Cancel(ctx context.Context, id, by, why string) (*Job, error) {
	return s.records.amend(ctx, id, func(j *Job) (bool, error) {
		if j.State.Terminal() || j.Cancel != nil {
			return false, nil
		}
		j.Cancel = &Request{By: by, Why: why, At: s.cfg.Now()}
		return true, nil
	})
}

// Outcome is a person's decision about a step whose outcome is unknown.
type Outcome string

// Outcomes for Resolve.
const (
	Happened Outcome = "happened" // the step counts as done; the chain goes on after it
	Never    Outcome = "never"    // the step did not happen: run it
	Settled  Outcome = "settled"  // dealt with by hand: the job ends here
)

// Resolve gives a person's word on a job that ended as unknown. Happened and Never
// make a new job that goes on where the old one stopped, and return it; Settled
// makes none and returns nil.
func (s *Scheduler) Resolve(ctx context.Context, id string, o Outcome, by string) (*Job, error) {
	old, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if old.State != Unknown {
		return nil, job.Refuse("job %s is %s: only an unknown outcome can be resolved", id, old.State)
	}
	switch o {
	case Settled:
		return nil, nil
	case Happened, Never:
	default:
		return nil, job.Refuse("resolve job %s: %q is none of happened, never, settled", id, o)
	}
	return s.again(ctx, old, by, func(r StepRecord) (StepRecord, bool) {
		if r.State == StepUnknown && o == Happened {
			r.State, r.Reason, r.Error = StepOK, ReasonAdopted, ""
		}
		return r, r.State == StepOK
	})
}

// Retry makes a new job that does again what the old one did not bring to a good
// end: steps that succeeded are not repeated. Retrying one job twice makes one.
func (s *Scheduler) Retry(ctx context.Context, id, by string) (*Job, error) {
	old, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	switch {
	case !old.State.Terminal():
		return nil, job.Refuse("job %s is %s: only a job that has ended can be retried", id, old.State)
	case old.State == Succeeded:
		return nil, job.Refuse("job %s succeeded: there is nothing to retry", id)
	case old.State == Unknown:
		return nil, job.Refuse("job %s: whether its last step ran is not known; say so with resolve", id)
	}
	return s.again(ctx, old, by, func(r StepRecord) (StepRecord, bool) { return r, r.State == StepOK })
}

// again makes the job that continues an old one with the steps selected by keep.
func (s *Scheduler) again(ctx context.Context, old *Job, by string, keep func(StepRecord) (StepRecord, bool)) (*Job, error) {
	if len(old.Steps) == 0 {
		return nil, job.Refuse("job %s: its record was lost, and with it its steps; look at the sensor, and submit what is still to be done", old.ID)
	}
	var done []StepRecord
	for _, r := range old.Done {
		if r, ok := keep(r); ok {
			done = append(done, r)
		}
	}
	j := &Job{
		ID: successor(old.ID), Of: old.ID, Rule: old.Rule, Digest: old.Digest, About: old.About, Submitter: by,
		Endpoint: old.Endpoint, Host: old.Host, Priority: old.Priority, Mode: old.Mode, Steps: old.Steps, OnFailure: old.OnFailure,
		Timeout: old.Timeout, Group: old.Group, Policy: old.Policy, Literal: old.Literal,
		Event: old.Event, Trace: old.Trace, Vars: old.Vars, Correlated: old.Correlated, Done: done,
	}
	if _, err := s.Enqueue(ctx, j); err != nil {
		return nil, err
	}
	return s.Get(ctx, j.ID)
}

// successor is the id of the job that goes on for another: x, x-2, x-3 …
func successor(id string) string {
	base, n, ok := strings.Cut(id, "-")
	if !ok {
		return id + "-2"
	}
	i, err := strconv.Atoi(n)
	if err != nil {
		return id + "-2"
	}
	return base + "-" + strconv.Itoa(i+1)
}

// Pause keeps the scheduler from starting anything; running steps end. Resume
// lets it go on. Config.Stopped keeps commands of running steps back, too.
func (s *Scheduler) Pause(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = why
	for _, v := range s.visits {
		signal(v.poke)
	}
}

// Resume ends a Pause.
func (s *Scheduler) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = ""
	s.poke()
}

// Look has the scheduler look again whether the server works, and read the sensors that
// jobs wait for.
func (s *Scheduler) Look() {
	s.poke()
	signal(s.unread)
}

// Get returns a job, live or finished.
func (s *Scheduler) Get(ctx context.Context, id string) (*Job, error) {
	return s.records.storeOf(id).Get(ctx, id)
}

// Live reports whether a job is among the live ones, as far as is known here: it has
// not ended, or is not archived yet.
func (s *Scheduler) Live(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ending := s.ending[id]
	return ending || s.queue.Job(id) != nil
}

// Waiting counts the live jobs of each sensor that do not run.
func (s *Scheduler) Waiting() map[edr.Endpoint]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[edr.Endpoint]int{}
	for e := range s.queue.Jobs() {
		if e.State != Running {
			n[e.Sensor.Endpoint]++
		}
	}
	return n
}
