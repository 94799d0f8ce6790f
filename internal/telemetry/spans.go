package telemetry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

// Parent is the W3C traceparent of an event, which the record of its job keeps.
func (t *Tracing) Parent(e *events.Event) string {
	if t == nil {
		return ""
	}
	return fmt.Sprintf("00-%s-%s-01", traceID(e.Event.ID), spanID("event", e.Event.ID))
}

// Matched records that a rule matched an event.
func (t *Tracing) Matched(e *events.Event, rule string, at time.Time) {
	if t == nil {
		return
	}
	t.send(span{
		trace: traceID(e.Event.ID), id: spanID("match", rule, e.Event.ID), parent: spanID("event", e.Event.ID),
		name: "match", from: e.Event.Received, to: at,
		about: []attribute.KeyValue{attribute.String("edrpipe.rule", rule), attribute.String("edrpipe.event", e.Event.ID)},
	})
}

// Recorded records that all jobs of an event are in the store.
func (t *Tracing) Recorded(e *events.Event, at time.Time) {
	if t == nil {
		return
	}
	t.send(span{
		trace: traceID(e.Event.ID), id: spanID("event", e.Event.ID), name: "event", from: e.Event.Received, to: at,
		about: []attribute.KeyValue{
			attribute.String("edrpipe.event", e.Event.ID), attribute.String("edrpipe.event_type", e.Event.Type), attribute.StringSlice("edrpipe.sensors", e.Sensor.IDs),
		},
	})
}

// Report sends the steps and jobs that have ended.
func (t *Tracing) Report(r jobs.Report) {
	switch {
	case t == nil:
	case r.Final:
		tr, parent := traceOf(r.Job)
		t.send(span{
			trace: tr, parent: parent, id: spanID("job", r.Job.ID), name: "job", from: r.Job.Created, to: r.Job.Ended,
			failed: failed(r.Job.State == jobs.Failed || r.Job.State == jobs.Unknown, r.Job.Detail, string(r.Job.Reason)),
			about:  append(ofJob(r.Job), attribute.String("edrpipe.state", string(r.Job.State)), attribute.String("edrpipe.reason", string(r.Job.Reason))),
		})
	case r.Step != nil && !r.Step.Started.IsZero():
		tr, _ := traceOf(r.Job)
		t.send(span{
			trace: tr, parent: spanID("job", r.Job.ID), id: stepID(r.Job, *r.Step), name: "step " + r.Step.Uses, from: r.Step.Started, to: r.Step.Ended,
			failed: failed(r.Step.State == jobs.StepFailed || r.Step.State == jobs.StepUnknown, r.Step.Error, string(r.Step.Reason)),
			about:  append(ofJob(r.Job), attribute.String("edrpipe.step", r.Step.ID), attribute.String("edrpipe.action", r.Step.Uses), attribute.String("edrpipe.state", string(r.Step.State))),
		})
	}
}

// Command sends a Live Response command that has ended.
func (t *Tracing) Command(c jobs.Commanded, now time.Time) {
	if t == nil {
		return
	}
	tr, _ := traceOf(c.Job)
	t.send(span{
		trace: tr, parent: stepID(c.Job, c.Step), id: spanID("command", c.Job.Endpoint.Server, fmt.Sprint(c.Command.SessionID, c.Command.ID)),
		name: "command " + c.Command.Name, from: c.Sent, to: now,
		failed: failed(c.Command.ResultCode != 0, c.Command.ResultDesc, fmt.Sprintf("%#x", c.Command.ResultCode)),
		about: append(ofJob(c.Job), attribute.String("edrpipe.step", c.Step.ID),
			attribute.String("edrpipe.session", c.Command.SessionID), attribute.Int64("edrpipe.command", c.Command.ID)),
	})
}

func ofJob(j *jobs.Job) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("edrpipe.job", j.ID), attribute.String("edrpipe.rule", j.Rule), attribute.String("edrpipe.sensor", j.Endpoint.ID), attribute.String("edrpipe.server", j.Endpoint.Server)}
}

func failed(is bool, texts ...string) string {
	for _, text := range texts {
		if is && text != "" {
			return text
		}
	}
	return ""
}

// span is one part of a trace that has ended.
type span struct {
	trace      trace.TraceID
	id, parent trace.SpanID // parent zero: the root
	name       string
	from, to   time.Time
	failed     string // why; empty: it did not
	about      []attribute.KeyValue
}

func (t *Tracing) send(s span) {
	ctx := context.WithValue(context.Background(), idKey{}, s) // no call below blocks
	if s.parent.IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: s.trace, SpanID: s.parent, TraceFlags: trace.FlagsSampled, Remote: true}))
	}
	_, started := t.tracer.Start(ctx, s.name, trace.WithTimestamp(s.from), trace.WithAttributes(s.about...))
	if s.failed != "" {
		started.SetStatus(codes.Error, s.failed)
	}
	started.End(trace.WithTimestamp(s.to))
}

// ids takes the id of a span from its context.
type ids struct{}

type idKey struct{}

// NewIDs implements the generator of the SDK for a root.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	s, _ := ctx.Value(idKey{}).(span)
	return s.trace, s.id
}

// NewSpanID implements the generator of the SDK for a child.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	s, _ := ctx.Value(idKey{}).(span)
	return s.id
}

func traceID(event string) (id trace.TraceID) {
	sum := sha256.Sum256([]byte("trace\x00" + event))
	copy(id[:], sum[:])
	return id
}

func spanID(parts ...string) (id trace.SpanID) {
	sum := sha256.Sum256([]byte("span\x00" + strings.Join(parts, "\x00")))
	copy(id[:], sum[:])
	return id
}

func stepID(j *jobs.Job, s jobs.StepRecord) trace.SpanID {
	return spanID("step", j.ID, s.ID, fmt.Sprint(s.Item))
}

// traceOf returns the trace and parent span in the traceparent of a job's record. A job
// that a person submitted is a trace of its own.
func traceOf(j *jobs.Job) (tr trace.TraceID, parent trace.SpanID) {
	parts := strings.Split(j.Trace, "-")
	if len(parts) == 4 && len(parts[1]) == 2*len(tr) && len(parts[2]) == 2*len(parent) {
		_, err1 := hex.Decode(tr[:], []byte(parts[1]))
		_, err2 := hex.Decode(parent[:], []byte(parts[2]))
		if err1 == nil && err2 == nil {
			return tr, parent
		}
	}
	return traceID("job/" + j.ID), trace.SpanID{}
}
