package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// Lost finds acknowledged jobs without a record, live or finished: a disk can lose
// records silently, and a restart would forget accepted work. It blocks until the live
// jobs are known.
//
// What ran of such a job cannot be determined, so it is recorded as ended: unknown, with
// ReasonRecordLost, and its result is published. told is the first notice of each job.
// Several replicas may look at the same time.
func (s *Scheduler) Lost(ctx context.Context, told []TransitionNotice) (lost []string, err error) {
	select {
	case <-s.follower.synced:
	case <-s.finished:
		return nil, errors.New("jobs: the scheduler has ended")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for _, n := range told {
		if n.Server != s.cfg.Server.Name() || s.knows(n.Job) {
			continue
		}
		_, err := s.cfg.Store.Get(ctx, n.Job)
		if err == nil || errors.Is(err, ErrDamaged) { // there, if only in quarantine
			continue
		}
		if !errors.Is(err, ErrNoJob) {
			return lost, err
		}
		created, err := s.cfg.Store.Create(ctx, []*Job{lostJob(n, s.cfg.Now())})
		if err != nil {
			return lost, fmt.Errorf("record that job %s is lost: %w", n.Job, err)
		}
		if created[0] {
			lost = append(lost, n.Job)
		}
	}
	return lost, nil
}

// lostJob is the record written for a job whose own record is lost.
func lostJob(n TransitionNotice, now time.Time) *Job {
	j := &Job{
		ID: n.Job, Rule: n.Rule, Endpoint: edr.Endpoint{Server: n.Server, ID: string(n.Sensor)}, Host: n.Host, Submitter: "edrpipe", Priority: Normal,
		State: n.State, Created: n.At, Updated: n.At, History: []Transition{{At: n.At, State: n.State, Reason: n.Reason, Detail: n.Detail}},
	}
	j.Enter(job.Move{To: Unknown, Reason: ReasonRecordLost, Detail: "the bus has lost the job's record: what ran of it is not known"}, now)
	return j
}
