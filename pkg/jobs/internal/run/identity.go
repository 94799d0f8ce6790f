package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// Mismatch says what becomes of a job whose endpoint its server calls by another
// host name than the event did. The empty one is MismatchHold.
type Mismatch string

// Mismatches.
const (
	MismatchHold  Mismatch = "hold"  // people are asked
	MismatchDeny  Mismatch = "deny"  // the step and its job are denied
	MismatchAllow Mismatch = "allow" // the job goes on
)

// verdict of a check: over means that the step may not run, and that this has been
// recorded; h has the job wait.
type verdict struct {
	h    *Halt
	over bool
}

func (v verdict) decided() bool { return v.h != nil || v.over }

// identify checks before a step touches the endpoint that it is the one that was
// meant: ids are reused, sensors are reinstalled and computers renamed, and the same
// number is another computer on another server.
func (x *Execution) identify(ctx context.Context, st *actions.Step, spec actions.Spec, r *job.StepRecord) verdict {
	if info, _ := x.place.Info(); info.ID != "" {
		x.named(info.Hostname)
	}
	meant, touches := x.meant(), spec.Session || spec.Destructive || x.job.Undoes()
	if meant == "" || !touches {
		return verdict{}
	}
	info, err := x.subject(ctx)
	if err != nil {
		return x.unread(ctx, st, r, err)
	}
	x.named(info.Hostname)
	if edr.SameHost(meant, info.Hostname) || edr.SameHost(meant, info.DNSName) {
		return verdict{}
	}
	text := fmt.Sprintf("the event means host %q, the server calls %s %q", meant, x.job.Endpoint, info.Hostname)
	switch x.cfg.Mismatch {
	case MismatchAllow:
		x.cfg.Log.Warn().Str("job", x.id).Str("endpoint", x.job.Endpoint.String()).Msg("host names differ, allowed by host_mismatch: " + text)
		return verdict{}
	case MismatchDeny:
		return x.refuse(ctx, st, r, job.StepFailed, job.ReasonOtherHost, text)
	}
	if x.granted(text) {
		return verdict{}
	}
	return verdict{h: x.ask(ctx, job.Question{About: text, Require: 1, Otherwise: "deny"}, job.ReasonOtherHost)}
}

// meant is the host name that the job was made for, or empty where it named none.
// Records of versions before this check have it in their event only.
func (x *Execution) meant() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.job.MeantHost()
}

// named notes the host name that the server has.
func (x *Execution) named(host string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if host != "" {
		x.job.Host = host // written with the next change of the record
	}
}

// granted reports whether people agreed to what a question about the job says. Their
// answer to another text, about other names or facts, does not count.
func (x *Execution) granted(about string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.job.Approvals, func(q job.Question) bool { return q.About == about && q.Granted })
}

// ask records a question about the job and holds the job until people answer.
func (x *Execution) ask(ctx context.Context, q job.Question, reason job.Reason) *Halt {
	if err := x.save(ctx, func(j *job.Job) { j.Approvals = append(slices.Clone(j.Approvals), q) }); err != nil {
		return &Halt{Keep: true, Text: err.Error()}
	}
	return &Halt{Move: job.Move{To: job.Held, Reason: reason, Detail: q.Text()}}
}

// refuse records that a step may not run.
func (x *Execution) refuse(ctx context.Context, st *actions.Step, r *job.StepRecord, state job.StepState, reason job.Reason, detail string) verdict {
	r.State, r.Reason, r.Error = state, reason, detail
	return verdict{x.ended(x.finish(ctx, st, *r)), true}
}

// unread is what follows where the endpoint's record could not be read.
func (x *Execution) unread(ctx context.Context, st *actions.Step, r *job.StepRecord, err error) verdict {
	if errors.Is(err, edr.ErrUnknownSensor) {
		return x.refuse(ctx, st, r, job.StepFailed, job.ReasonUnknownSensor, err.Error())
	}
	return verdict{h: &Halt{Move: job.Move{To: job.Queued, Reason: job.ReasonUnknownState, Detail: err.Error()}, Off: err}}
}

// subject is the sensor as guards judge it: as its server knew it within the last
// minute. A guard must not decide on a sensor of which nothing is known.
func (x *Execution) subject(ctx context.Context) (edr.Sensor, error) {
	info, read := x.place.Info()
	if info.ID != "" && x.cfg.Now().Sub(read) < time.Minute {
		return info, nil
	}
	info, err := x.cfg.Server.Sensor(ctx, x.job.Endpoint.ID)
	if err != nil {
		return edr.Sensor{}, fmt.Errorf("read endpoint %s: %w", x.job.Endpoint, err)
	}
	return info, nil
}
