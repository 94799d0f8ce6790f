package notices

import (
	"github.com/rs/zerolog"

	"edrpipe/pkg/jobs"
)

// LogReport logs what happened to a job: at level info its end, and that it waits
// for people; at level debug everything else. An undo that did not succeed is an
// error: an endpoint stays isolated, or a hash banned, though it should not be.
func LogReport(log zerolog.Logger, r jobs.Report) {
	switch {
	case r.Step != nil:
		e := aboutJob(log.Debug(), r.Job).Str("step", r.Step.ID).Str("uses", r.Step.Uses)
		withReason(e, string(r.Step.State), r.Step.Reason, r.Step.Error).Msg("step ended")
	case r.Final && r.Job.Undoes() && r.Job.State != jobs.Succeeded:
		ended(log.Error(), r.Job).Str("of", r.Job.Of).Msg("undo failed: what the job did is still in force on its endpoint; undo it by hand")
	case r.Final && (r.Job.State == jobs.Failed || r.Job.State == jobs.Unknown):
		ended(log.Warn(), r.Job).Msg("job ended")
	case r.Final:
		ended(log.Info(), r.Job).Msg("job ended")
	case r.Transition != nil:
		e := log.Debug()
		if r.Transition.State == jobs.Held {
			e = log.Info()
		}
		withReason(aboutJob(e, r.Job), string(r.Transition.State), r.Transition.Reason, r.Transition.Detail).Msg("job is " + string(r.Transition.State))
	}
}

// aboutJob names the job the way every line about one does.
func aboutJob(e *zerolog.Event, j *jobs.Job) *zerolog.Event {
	e = e.Str("job", j.ID)
	if j.Rule != "" {
		e = e.Str("rule", j.Rule)
	} else {
		e = e.Str("by", j.Submitter)
	}
	return e.Str("endpoint", j.Endpoint.String()).Str("host", j.Host)
}

func ended(e *zerolog.Event, j *jobs.Job) *zerolog.Event {
	return withReason(aboutJob(e, j), string(j.State), j.Reason, j.Detail)
}

// withReason leaves out what there is none of.
func withReason(e *zerolog.Event, state string, reason jobs.Reason, detail string) *zerolog.Event {
	e = e.Str("state", state)
	if reason != "" {
		e = e.Str("reason", string(reason))
	}
	if detail != "" {
		e = e.Str("detail", detail)
	}
	return e
}
