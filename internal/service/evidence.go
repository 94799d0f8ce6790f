package service

import (
	"context"
	"encoding/json"
	"path/filepath"
	"sync/atomic"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

// openAudit opens the log of all replicas on the bus.
func (s *Service) openAudit() error {
	var err error
	if s.auditKey, err = s.cfg.AuditKey(); err != nil {
		return err
	}
	if s.heads, err = audit.OpenHeads(filepath.Join(s.cfg.Data, "audit.heads")); err != nil {
		return err
	}
	s.closers = append(s.closers, s.heads.Close)
	s.audit = audit.New(audit.Config{
		Store: watchedStore{auditStore(s.bus), &s.auditState}, Key: s.auditKey, Now: s.clock.Now,
		Reached: s.noteHead, Passed: s.passedForeign, Noted: s.heads.Read,
	})
	return nil
}

// auditState is what is known of the audit log's store.
type auditState struct {
	append  atomic.Pointer[error] // why the latest append failed; nil: it did not
	foreign atomic.Int64          // blocks of other writers
	damage  atomic.Pointer[error] // result of the comparison at the start; nil: no damage
}

// noteHead notes outside of the audit log how far it has come, before anybody can
// rely on its new end. That it cannot be noted is told once.
func (s *Service) noteHead(h audit.Head) {
	err := s.heads.Note(h)
	if was := s.headsFail.Swap(err != nil); err != nil && !was {
		s.log.Error().Err(err).Msg("the end of the audit log cannot be noted")
	}
}

// passedForeign tells of blocks in the audit log's stream that somebody else wrote.
func (s *Service) passedForeign(r audit.Report) {
	s.auditState.foreign.Store(int64(len(r.Foreign)))
	s.log.Error().Uints64("blocks", r.Foreign).Uint64("after", r.Head.Seq).
		Msg("somebody else has written into the audit log: it goes on behind it; find out who can write to the stream AUDIT")
}

// flushEvery is how often the noted ends are flushed to the disk: what was noted
// less than that before a power cut may be gone.
const flushEvery = 5 * time.Second

// watchAudit compares the whole log with what this replica noted of it, once, and
// goes on flushing what is noted.
func (s *Service) watchAudit(ctx context.Context) {
	r, err := s.verifyAudit(ctx)
	if err == nil && len(r.Foreign) > 0 {
		s.passedForeign(r)
	}
	if err != nil && ctx.Err() == nil {
		s.auditState.damage.Store(&err)
		s.log.Error().Err(err).Msg("the audit log is not what it was: look with pipeline audit verify")
	}
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		if err := s.heads.Flush(); err != nil {
			s.log.Error().Err(err).Msg("the noted ends of the audit log")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// verifyAudit compares every hash of the log, and that it has the entries that
// were noted, here or by people.
func (s *Service) verifyAudit(ctx context.Context, noted ...audit.Head) (audit.Report, error) {
	own, err := s.heads.Read()
	if err != nil {
		return audit.Report{}, err
	}
	return audit.Verify(ctx, auditStore(s.bus), s.auditKey, append(own, noted...)...)
}

func auditStore(b *bus.Bus) *audit.Stream {
	return &audit.Stream{JetStream: b.JetStream(), Name: bus.StreamAudit, Subject: "edr.audit"}
}

// recordChange writes down what people, or a breaker, did to the guards.
func (s *Service) recordChange(ctx context.Context, c guard.Change) {
	e := s.log.Warn().Str("what", c.What).Str("by", c.By).Str("why", c.Why)
	if c.On != "" {
		e = e.Str("rule", c.On)
	}
	e.Msg("guard changed")
	if err := s.audit.Append(ctx, audit.Entry{Time: c.At, Kind: "switch", By: c.By, What: c.What, Rule: c.On, Text: c.Why}); err != nil {
		s.log.Error().Err(err).Msg("a change of the guards could not be written to the audit log")
	}
}

// auditVerdict writes a verdict down before its step may act on it. Steps that
// wait are not written here: their job's transition is.
func auditVerdict(ctx context.Context, log *audit.Log, q admission.Request, v admission.Verdict) error {
	what := map[admission.Decision]string{admission.Allow: "allow", admission.Deny: "deny", admission.Shadow: "shadow"}[v.Decision]
	if what == "" || v.Decision == admission.Allow && !q.Destructive {
		return nil
	}
	data, err := json.Marshal(q.Args)
	if err != nil {
		return err
	}
	return log.Append(ctx, audit.Entry{
		Kind: "verdict", By: "guard", Job: q.Job, Step: q.Step, Rule: q.Rule, Digest: q.Digest, Server: q.Endpoint.Server,
		Sensor: looseid.ID(q.Sensor.ID), Action: q.Action, What: what, Reason: string(v.Reason), Text: v.Text(), Data: data,
	})
}

// auditReport writes down what happened to a job: each ended step with its
// command, each wait for people, and the end.
func auditReport(ctx context.Context, log *audit.Log, r jobs.Report) error {
	e := audit.Entry{Job: r.Job.ID, Rule: r.Job.Rule, Digest: r.Job.Digest, Server: r.Job.Endpoint.Server, Sensor: looseid.ID(r.Job.Endpoint.ID), By: r.Job.Submitter}
	switch {
	case r.Step != nil:
		e.Kind, e.Step, e.Action, e.What, e.Reason, e.Text = "step", r.Step.ID, r.Step.Uses, string(r.Step.State), string(r.Step.Reason), r.Step.Error
		data, err := json.Marshal(map[string]any{"args": r.Step.Args, "output": r.Step.Output, "session": r.Step.Session, "command": r.Step.Command})
		if err != nil {
			return err
		}
		e.Data = data
	case r.Final:
		e.Kind, e.What, e.Reason, e.Text = "job", string(r.Job.State), string(r.Job.Reason), r.Job.Detail
	case r.Transition != nil && r.Transition.State == jobs.Held:
		e.Kind, e.What, e.Reason, e.Text = "job", string(r.Transition.State), string(r.Transition.Reason), r.Transition.Detail
	default:
		return nil
	}
	return log.Append(ctx, e)
}

// undecidable is the verdict while the audit log cannot be written: what cannot
// be proved is not done.
func undecidable(err error) admission.Verdict {
	return admission.Verdict{Decision: admission.Hold, Reason: "audit", Detail: "the audit log cannot be written: " + err.Error(), InOrder: true}
}
