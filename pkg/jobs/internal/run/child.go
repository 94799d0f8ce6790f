package run

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// childPoll is how often a job looks after the job it waits for, should the news
// of its end be lost.
const childPoll = 10 * time.Minute

// elsewhere runs a step on another sensor: as a job of its own, so that it waits
// in that sensor's line and obeys its order. The step's job waits parked.
func (x *Execution) elsewhere(ctx context.Context, st *actions.Step, r job.StepRecord, sensor edr.Endpoint) *Halt {
	id := ChildID(x.job, st.ID, r.Item)
	child, err := x.store.Get(ctx, id)
	if err == nil && child.State.Terminal() {
		return x.ended(x.finish(ctx, st, childResult(child, r)))
	}
	step := *st
	step.Written = st.Template()
	step.With, step.Sensor, step.If, step.Foreach, step.Approval = r.Args, "", "", "", nil
	j := &job.Job{
		ID: id, Rule: x.job.Rule, Digest: x.job.Digest, Submitter: x.job.Submitter, Endpoint: sensor,
		Priority: x.job.Priority, Mode: x.job.Mode, Steps: []actions.Step{step}, Literal: true,
		Event: x.job.Event, Trace: x.job.Trace, Deadline: x.job.Deadline,
		Parent: &job.Parent{Job: x.job.ID, Step: st.ID, Item: r.Item},
	}
	err = x.save(ctx, func(own *job.Job) { own.Put(r) })
	if err == nil {
		err = x.cfg.Enqueue(ctx, j)
	}
	if err != nil {
		return &Halt{Keep: true, Text: fmt.Sprintf("step %s on sensor %s: %v", st.ID, sensor, err)}
	}
	return x.park(job.ReasonChild, fmt.Sprintf("job %s on sensor %s", id, sensor), childPoll)
}

// childResult is the step's record as its own job j left it.
func childResult(j *job.Job, r job.StepRecord) job.StepRecord {
	for _, done := range j.Done {
		if done.ID == r.ID && done.Item == 0 {
			done.Item = r.Item
			return done
		}
	}
	r.State, r.Reason, r.Error = job.StepFailed, j.Reason, j.Detail
	return r
}

// ChildID is the id of the job that runs a step of j on another sensor.
func ChildID(j *job.Job, step string, item int) string {
	return job.Digest("child", j.ID, step, strconv.Itoa(item))
}
