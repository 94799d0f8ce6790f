package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edrpipe/pkg/jobs/job"
)

// records changes the records of jobs, and reports each change and each result.
type records struct {
	*board
	volatile  *Memory // of jobs that are functions
	sequencer sequencer
}

// storeOf is where the job's record is kept.
func (rs *records) storeOf(id string) Store {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.functions[id] != nil {
		return rs.volatile
	}
	return rs.cfg.Store
}

// transition moves a job to another state: in the store, then in the queue, then in the
// reports. j must equal the stored record; on ErrConflict it does not, and the caller
// reads it again. edit may change more of the record.
func (rs *records) transition(ctx context.Context, j *Job, m job.Move, edit func(j *Job)) error {
	tell, err := rs.change(ctx, j, m, edit)
	if err != nil {
		return err
	}
	tell()
	if m.To.Terminal() {
		rs.conclude(ctx, j)
	}
	return nil
}

// change is transition but for what follows it: tell has to be called, and may be
// while the job goes on.
func (rs *records) change(ctx context.Context, j *Job, m job.Move, edit func(j *Job)) (tell func(), err error) {
	if !j.State.CanTransition(m.To) {
		return nil, fmt.Errorf("job %s cannot go from %s to %s", j.ID, j.State, m.To)
	}
	next := *j
	if edit != nil {
		edit(&next)
	}
	t := next.Enter(m, rs.cfg.Now())
	turn := rs.sequencer.turns(j.ID)[0]
	if err := rs.storeOf(j.ID).Update(ctx, &next); err != nil {
		turn.tell(func() {})
		return nil, err
	}
	*j = next
	rs.mu.Lock()
	rs.note(j)
	rs.poke()
	rs.mu.Unlock()
	rs.log.Debug().Str("job", j.ID).Str("endpoint", j.Endpoint.String()).Str("state", string(m.To)).
		Str("reason", string(m.Reason)).Str("detail", m.Detail).Msg("job")
	return func() { turn.tell(func() { rs.report(ctx, Report{Job: &next, Transition: &t}) }) }, nil
}

// report calls Config.Report. A failure is logged only, because the record has it.
func (rs *records) report(ctx context.Context, r Report) {
	if err := rs.tell(ctx, r); err != nil {
		rs.log.Warn().Err(err).Str("job", r.Job.ID).Msg("reporting")
	}
}

func (rs *records) tell(ctx context.Context, r Report) error {
	if rs.cfg.Report == nil || rs.function(r.Job.ID) != nil {
		return nil
	}
	// A copy of the fields is enough: whoever changes a job puts something new in the
	// place of what they refer to.
	j := *r.Job
	r.Job = &j
	return rs.cfg.Report(ctx, r)
}

// conclude publishes the result of a job in a terminal state, then archives it.
// A crash in between is made good at the next start, because until it is archived
// the job stays among the live ones.
func (rs *records) conclude(ctx context.Context, j *Job) {
	err := rs.tell(ctx, Report{Job: j, Final: true})
	if err == nil {
		err = rs.storeOf(j.ID).Archive(ctx, j)
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		rs.log.Warn().Err(err).Str("job", j.ID).Msg("publishing the result; trying again")
		rs.reviews.later(j.ID, concludeAgain)
		return
	}
	rs.endFunction(j)
	rs.mu.Lock()
	rs.gone(j.ID)
	rs.mu.Unlock()
}

// concludeAgain is the time between attempts to publish a result.
const concludeAgain = 5 * time.Second

// amend changes a live job's record on behalf of a person, and has the reconciler act
// on it. edit tells whether it changed anything; it may be called several times.
func (rs *records) amend(ctx context.Context, id string, edit func(j *Job) (bool, error)) (*Job, error) {
	store := rs.storeOf(id)
	for {
		j, err := store.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		changed, err := edit(j)
		if err != nil || !changed {
			return j, err
		}
		err = store.Update(ctx, j)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return nil, err
		}
		rs.mu.Lock()
		rs.note(j)
		rs.mu.Unlock()
		rs.reviews.add(id)
		return j, nil
	}
}

// endFunction settles the handle of a function job that has ended and forgets it.
func (rs *records) endFunction(j *Job) {
	h := rs.function(j.ID)
	if h == nil {
		return
	}
	result, err := h.Result()
	if err == nil && j.State != Succeeded {
		err = fmt.Errorf("job on sensor %s %s: %s %s", j.Endpoint, j.State, j.Reason, j.Detail)
	}
	h.end(j.State, result, err)
	rs.mu.Lock()
	delete(rs.functions, j.ID)
	rs.mu.Unlock()
	rs.volatile.Forget(j.ID)
}
