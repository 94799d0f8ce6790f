package intake

import (
	"context"
	"fmt"

	"edrpipe/pkg/jobs"
)

// Reasons of dead letters of messages whose jobs are too large to be recorded as
// they are. The first is acted on, with long fields cut in the record.
const (
	reasonClipped  = "clipped_event"
	reasonTooLarge = "job_too_large"
)

// fit gives the jobs of a batch that can be recorded. An event that is too large is
// cut in its job's record, raw first, and its message kept whole as a dead letter. A
// job that is too large even so is not made, which its dead letter says: trying again
// would change nothing, and hold up the rest of the batch.
func (in *Intake) fit(ctx context.Context, batch []finding, asked []*candidate, back []error) []*jobs.Job {
	var fitting []*jobs.Job
	known := map[string]bool{}
	for _, a := range asked {
		if back[a.message] != nil || !a.makes() || known[a.job.ID] {
			continue
		}
		known[a.job.ID] = true
		fits := jobs.Fit(a.job)
		if !fits || len(a.job.Clipped) > 0 {
			back[a.message] = in.keepWhole(ctx, &batch[a.message], a.job, fits)
		}
		if fits && back[a.message] == nil {
			fitting = append(fitting, a.job)
		}
	}
	return fitting
}

// keepWhole keeps the message of a job that is cut or not made.
func (in *Intake) keepWhole(ctx context.Context, f *finding, j *jobs.Job, fits bool) error {
	reason, cause := reasonClipped, fmt.Errorf("job %s of rule %s acts on it; its record has these fields cut: %v", j.ID, j.Rule, j.Clipped)
	if !fits {
		reason, cause = reasonTooLarge, fmt.Errorf("job %s of rule %s is not made: its record would be larger than %d bytes", j.ID, j.Rule, jobs.MaxRecord)
		in.Metrics.Errors.WithLabelValues(j.Rule).Inc()
	}
	in.Log.Warn().Str("job", j.ID).Str("rule", j.Rule).Str("reason", reason).Msg("an event is too large for its job's record; its message is kept as a dead letter")
	return in.Dead.Write(ctx, reason, f.msg, cause)
}
