package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edrpipe/pkg/jobs/job"
)

// storeOf is where the job's record is kept.
func (s *Scheduler) storeOf(id string) Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[id] != nil {
		return s.volatile
	}
	return s.cfg.Store
}

// transition moves a job to another state: in the store, then in the queue, then in the
// reports. j must equal the stored record; on ErrConflict it does not, and the caller
// reads it again. edit may change more of the record.
func (s *Scheduler) transition(ctx context.Context, j *Job, m job.Move, edit func(j *Job)) error {
	tell, err := s.change(ctx, j, m, edit)
	if err != nil {
		return err
	}
	tell()
	if m.To.Terminal() {
		s.conclude(ctx, j)
	}
	return nil
}

// change is transition but for what follows it: tell has to be called, and may be
// while the job goes on.
func (s *Scheduler) change(ctx context.Context, j *Job, m job.Move, edit func(j *Job)) (tell func(), err error) {
	if !j.State.CanTransition(m.To) {
		return nil, fmt.Errorf("job %s cannot go from %s to %s", j.ID, j.State, m.To)
	}
	next := *j
	if edit != nil {
		edit(&next)
	}
	t := next.Enter(m, s.cfg.Now())
	turn := s.sequencer.turns(j.ID)[0]
	if err := s.storeOf(j.ID).Update(ctx, &next); err != nil {
		turn.tell(func() {})
		return nil, err
	}
	*j = next
	s.mu.Lock()
	s.note(j)
	s.poke()
	s.mu.Unlock()
	s.log.Debug().Str("job", j.ID).Str("endpoint", j.Endpoint.String()).Str("state", string(m.To)).
		Str("reason", string(m.Reason)).Str("detail", m.Detail).Msg("job")
	return func() { turn.tell(func() { s.report(ctx, Report{Job: &next, Transition: &t}) }) }, nil
}

// report calls Config.Report. A failure is logged only, because the record has it.
func (s *Scheduler) report(ctx context.Context, r Report) {
	if err := s.tell(ctx, r); err != nil {
		s.log.Warn().Err(err).Str("job", r.Job.ID).Msg("reporting")
	}
}

func (s *Scheduler) tell(ctx context.Context, r Report) error {
	if s.cfg.Report == nil || s.isFunction(r.Job.ID) {
		return nil
	}
	// A copy of the fields is enough: whoever changes a job puts something new in the
	// place of what they refer to.
	j := *r.Job
	r.Job = &j
	return s.cfg.Report(ctx, r)
}

func (s *Scheduler) isFunction(id string) bool {
	return s.function(id) != nil
}

// conclude publishes the result of a job in a terminal state, then archives it.
// A crash in between is made good at the next start, because until it is archived
// the job stays among the live ones.
func (s *Scheduler) conclude(ctx context.Context, j *Job) {
	err := s.tell(ctx, Report{Job: j, Final: true})
	if err == nil {
		err = s.storeOf(j.ID).Archive(ctx, j)
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		s.log.Warn().Err(err).Str("job", j.ID).Msg("publishing the result; trying again")
		s.reconciler.later(j.ID, concludeAgain)
		return
	}
	s.endFunction(j)
	s.mu.Lock()
	s.gone(j.ID)
	s.mu.Unlock()
}

// concludeAgain is the time between attempts to publish a result.
const concludeAgain = 5 * time.Second
