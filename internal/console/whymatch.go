package console

import (
	"context"
	"errors"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/notices"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// whyMatch tells what became of a match: a job, or the decision that spoke
// against it.
func (c *Console) whyMatch(ctx context.Context, m rules.Match, a *account) error {
	a.add(time.Time{}, "matches", "rule %s", m.Rule.ID)
	before := len(a.Lines)
	for _, sensor := range append([]string{""}, m.Event.Sensor.IDs...) {
		at := edr.Endpoint{}
		if sensor != "" {
			at = edr.Endpoint{Server: m.Event.Sensor.Server, ID: sensor}
		}
		id := jobs.ID(m.Rule.ID, m.Subject(), at)
		err := c.whyJob(ctx, id, a)
		if errors.Is(err, jobs.ErrNoJob) {
			err = c.whyDecided(ctx, id, a)
		}
		if err != nil {
			return err
		}
	}
	if len(a.Lines) == before {
		a.add(time.Time{}, "no job", "%s", c.withoutRecord(m))
	}
	return nil
}

// withoutRecord says of a match of which there is neither job nor decision that it is
// one of today: the rules were asked now, and not when the event came.
func (c *Console) withoutRecord(m rules.Match) string {
	text := "and no decision is on record: the rule matches as things are now, and may not have when the event came, if rules, lists or facts of the endpoint changed since. The rules in force were loaded at "
	text += c.Rules.Live.State().Loaded.UTC().Format(time.RFC3339)
	if m.Rule.Correlate != nil {
		text += ". It correlates events: one match alone makes no job"
	}
	return text
}

// whyDecided tells the decision that was published in a job's place, if any.
func (c *Console) whyDecided(ctx context.Context, job string, a *account) error {
	stream, err := c.Bus.JetStream().Stream(ctx, bus.StreamJobs)
	if err != nil {
		return err
	}
	m, err := stream.GetLastMsgForSubject(ctx, notices.JobSubject(job, "decision"))
	if errors.Is(err, natsjs.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	d, err := notices.ReadDecision(m.Data)
	if err != nil {
		a.add(m.Time, "no job", "a decision was published, and message %d of stream %s, which has it, cannot be read: %v", m.Sequence, bus.StreamJobs, err)
		return nil
	}
	a.add(d.At, "no job", "%s: %s", d.Reason, d.Detail)
	return nil
}
