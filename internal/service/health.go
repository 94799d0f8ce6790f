package service

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"edrpipe/internal/health"
	"edrpipe/pkg/audit"
)

// health checks everything that has to work. Readiness, the dashboard, metrics and
// alerts show the same checks.
func (s *Service) health(ctx context.Context) []health.Check {
	all := slices.Concat(
		[]health.Check{s.watch.Check(ctx).Need()},
		s.watch.DiskChecks(),
		s.intakeHealth(),
		s.edrHealth(),
		s.rabbitHealth(),
		s.rulesHealth(),
		s.outputsHealth(),
		s.guardHealth(),
		s.endpointsHealth(),
		s.usersHealth(),
		[]health.Check{
			s.listsHealth(), s.guardFactsHealth(), s.credentials.check(), s.deadHealth(), s.console.JobsHealth(ctx), s.console.ApprovalsHealth(),
			s.recordsHealth(), s.limitsHealth(), s.auditHealth(), s.clockHealth(), s.exposureHealth(),
		},
	)
	return s.since.Note(s.clock.Now(), all)
}

// intakeHealth checks that this replica reads events and takes them to their end.
func (s *Service) intakeHealth() []health.Check {
	if s.canary == nil {
		return nil
	}
	return []health.Check{s.canary.Check()}
}

// rulesHealth checks that the rules in force are those of the files.
func (s *Service) rulesHealth() []health.Check {
	st := s.rules.Live.State()
	check := health.Good("rules", "")
	switch {
	case st.Rejected != nil:
		check = health.Bad("rules", health.Degraded, "mend the files: pipeline rules check names each mistake",
			"the newest files have mistakes and the rules from before are in force: "+st.Rejected.Problems.Error())
		check.Since = st.Rejected.At
	case st.Rules == 0:
		check = health.Bad("rules", health.Degraded, "write a rule into one of the configured directories", "no rule is in force: nothing can match")
	}
	return []health.Check{check}
}

// exposureHealth names what gives secrets or the service to more people than it needs to.
// Each of it is allowed, so the check is ok.
func (s *Service) exposureHealth() health.Check {
	return health.Good("exposure", strings.Join(s.cfg.Exposure(), "; "))
}

// auditHealth checks that the audit log takes entries and is what it was.
func (s *Service) auditHealth() health.Check {
	if err := s.auditState.damage.Load(); err != nil {
		return health.Bad("audit", health.Failed, "look with pipeline audit verify, and compare with noted heads", "the log is not what it was: "+(*err).Error()).Need()
	}
	if err := s.auditState.append.Load(); err != nil {
		return health.Bad("audit", health.Failed, "steps wait until it can be written: see what the check of the bus says", "the log takes no entries: "+(*err).Error()).Need()
	}
	if n := s.auditState.foreign.Load(); n > 0 {
		return health.Bad("audit", health.Degraded, "find out who can write to the stream AUDIT, and change that credential", "%d blocks in its stream were written by somebody else; the log goes on behind them", n).Need()
	}
	if s.headsFail.Load() {
		return health.Bad("audit", health.Degraded, "make the data directory writable", "the end of the log cannot be noted outside of it")
	}
	return health.Good("audit", "").Need()
}

// clockApart is how far the clocks of this machine and of the bus may be apart.
const clockApart = 10 * time.Second

// clockHealth checks that this process has the bus's time, with which replicas compare
// the times that others have written.
func (s *Service) clockHealth() health.Check {
	known, apart := s.clock.Known()
	switch {
	case !known:
		return health.Bad("clock", health.Unknown, "see what the check of the bus says", "the bus has not told its time")
	case apart.Abs() > clockApart:
		return health.Bad("clock", health.Degraded, "have NTP set the clocks of this machine and of the bus",
			"the clock of this machine and that of the bus are %v apart; the bus's is used", apart.Round(clockApart/10))
	}
	return health.Good("clock", "")
}

// watchedStore is the audit log's store that remembers whether the latest append
// was stored.
type watchedStore struct {
	audit.Store
	state *auditState
}

// Append implements audit.Store.
func (w watchedStore) Append(ctx context.Context, block []byte, after uint64) error {
	err := w.Store.Append(ctx, block, after)
	switch {
	case err == nil:
		w.state.append.Store(nil)
	case !errors.Is(err, audit.ErrConflict) && ctx.Err() == nil:
		w.state.append.Store(&err)
	}
	return err
}
