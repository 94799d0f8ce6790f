package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"edrpipe/internal/buswatch"
	"edrpipe/internal/config"
	"edrpipe/internal/console"
	"edrpipe/internal/fleet"
	"edrpipe/internal/health"
	"edrpipe/internal/intake"
	"edrpipe/internal/kinds"
	"edrpipe/internal/listsource"
	"edrpipe/internal/natsd"
	"edrpipe/internal/notices"
	"edrpipe/internal/outputs"
	"edrpipe/internal/pager"
	"edrpipe/internal/quarantine"
	"edrpipe/internal/telemetry"
	"edrpipe/internal/web"
	"edrpipe/pkg/artifacts"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/binaries"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/directory"
	"edrpipe/pkg/events"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/seal"
	"edrpipe/pkg/shares"
	"edrpipe/rules"
)

// Service is edrpipe put together, opened and not yet running.
type Service struct {
	cfg     config.Config
	log     zerolog.Logger
	owner   string // this replica's name in the slot table
	version string

	seal       *seal.Keeper // of the records that replicas share
	sealNew    bool         // its key was made for this start
	quarantine *quarantine.Quarantine

	embedded   *natsd.Server
	bus        *bus.Bus
	clock      *bus.Clock // by which all that replicas share is stamped and judged
	ingest     *bus.Bus   // the connection that puts events on the bus
	shared     kinds.Shared
	members    []*fleet.Member // their schedulers are made last
	fleet      *fleet.Fleet
	rules      *intake.Ruleset
	guard      *guard.Guard
	audit      *audit.Log
	auditKey   []byte
	heads      *audit.Heads // of the audit log, noted outside of it
	headsFail  atomic.Bool  // the latest could not be noted
	auditState auditState
	since      health.Since // of each check's state
	made       []bus.Change // streams that the start made or changed
	ledger     ledger
	artifacts  *artifacts.Store
	metrics    *telemetry.Metrics
	tracing    *telemetry.Tracing
	notices    notices.Publisher
	watch      *buswatch.Watch
	binaries   *binaries.Store
	http       *http.Client
	records    *bus.Records // of suppression and correlation
	intake     *intake.Intake
	canary     *intake.Canary // nil: this process matches nothing
	breakers   atomic.Pointer[openBreakers]
	told       atomic.Pointer[toldFacts]

	deadLetters atomic.Pointer[deadNewest]
	credentials accessFiles
	usersFile   *web.UsersFile // nil: there is no web listener

	sources *sources
	console *console.Console
	pager   *pager.Pager // nil: people are told nothing
	outputs []*outputs.Output

	listSources []*listsource.Source
	web         *web.Server

	guardsChanged time.Time             // when the guards file in force was written
	guardsProblem atomic.Pointer[error] // why the newest guards file is not in force; nil: it is

	endpointsChanged time.Time             // when the endpoints file in force was written
	endpointsProblem atomic.Pointer[error] // why the newest endpoints file is not in force; nil: it is
	newFacts         chan struct{}         // facts of endpoints may have become known
	kept             directory.Store       // what is kept of endpoints; nil: nothing, there is no bus

	closers []func() error // in the order of opening
}

// Open puts a service together from its configuration. On an error nothing stays
// open.
func Open(ctx context.Context, cfg config.Config, version string, log zerolog.Logger) (*Service, error) {
	if err := Preflight(cfg); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, log: log, version: version, metrics: telemetry.New(), newFacts: make(chan struct{}, 1)}
	var err error
	if s.http, err = newEgress(cfg.Egress); err != nil {
		return nil, err
	}
	for _, problem := range cfg.Exposure() {
		log.Warn().Msg(problem)
	}
	for _, open := range []func(context.Context) error{
		s.openData, s.openTracing, s.openSeal, s.openBus, s.openServers, s.openGuard, s.openArtifacts,
		func(context.Context) error { return s.openRules() }, s.openJobs, s.openIntake, s.openConsole, s.openPager, s.openOutputs, s.openWeb,
	} {
		if err := open(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func (s *Service) openTracing(ctx context.Context) (err error) {
	s.tracing, err = telemetry.NewTracing(ctx, s.cfg.Tracing.Endpoint, s.version)
	s.closers = append(s.closers, s.tracing.Close)
	return err
}

// openData takes the data directory for this process alone and finds the name
// under which it has claimed slots before.
func (s *Service) openData(context.Context) error {
	if err := os.MkdirAll(s.cfg.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	lock := flock.New(filepath.Join(s.cfg.Data, "lock"))
	switch ok, err := lock.TryLock(); {
	case err != nil:
		return fmt.Errorf("data directory: %w", err)
	case !ok:
		return fmt.Errorf("data directory %s is in use by another edrpipe: give each its own with --data", s.cfg.Data)
	}
	s.closers = append(s.closers, lock.Unlock)
	name := filepath.Join(s.cfg.Data, "replica")
	if data, err := os.ReadFile(name); err == nil {
		s.owner = strings.TrimSpace(string(data))
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "replica"
	}
	s.owner = bus.Token(host) + "-" + jobs.NewID()[:6]
	return os.WriteFile(name, []byte(s.owner+"\n"), 0o600)
}

func (s *Service) openIntake(context.Context) (err error) {
	dead := newDeadLetters(s.bus)
	if s.sources, err = openSources(s.cfg, s.bus, s.ingest, s.clock.Now, dead, s.watch, s.members, s.log); err != nil {
		return err
	}
	if s.sources.bus != nil {
		s.canary = &intake.Canary{
			Filter: s.cfg.Sources.NATS.Subject, Replica: s.owner, Publish: s.sendCanary, Trouble: s.sources.bus.Trouble, Now: time.Now,
		}
	}
	l := s.cfg.Limits
	ledger := shares.NewLedger(shares.Limits{Records: l.Records, Rule: l.Rule, Endpoint: l.Endpoint, Share: l.Share}, s.clock.Now)
	s.records = &bus.Records{Bus: s.bus, Bucket: bus.BucketControl, Shares: ledger}
	s.intake = intake.New(intake.Config{
		Rules: s.rules, State: s.records, Bounds: intake.Bounds{Events: l.Events, Jobs: l.Jobs}, Keep: s.cfg.Bus.Events.Age, Guard: s.guard, Audit: s.audit, Fleet: s.fleet,
		Binaries: s.binaries, Dead: dead, Notices: s.notices, Metrics: s.metrics, Tracing: s.tracing, Canary: s.canary, Gate: s.mayTake, Now: s.clock.Now, Log: s.log,
	})
	return nil
}

// sendCanary puts a canary among the events.
func (s *Service) sendCanary(ctx context.Context, m *nats.Msg) error {
	_, err := s.ingest.JetStream().PublishMsg(ctx, m)
	return err
}

// report is told of everything that happens to jobs.
func (s *Service) report(ctx context.Context, r jobs.Report) error {
	if err := auditReport(ctx, s.audit, r); err != nil {
		return err
	}
	if err := s.notices.Report(ctx, r); err != nil {
		return err
	}
	s.metrics.Report(r)
	s.tracing.Report(r)
	notices.LogReport(s.log, r)
	if r.Final {
		s.console.JobEnded(r.Job.State)
	}
	if r.Final && r.Job.State == jobs.Failed {
		return s.guard.Failed(ctx, r.Job.Rule, r.Job.ID)
	}
	return nil
}

// commanded is told of each command that has come to its end.
func (s *Service) commanded(c jobs.Commanded) {
	now := s.clock.Now()
	s.metrics.Command(c, now)
	s.tracing.Command(c, now)
}

// Run works until ctx ends: it then stops taking events, lets running steps end
// within the grace or leaves them checkpointed, closes its sessions, and returns.
func (s *Service) Run(ctx context.Context) error {
	// What the last jobs and messages need outlives the sources.
	base := context.WithoutCancel(ctx)
	var last errgroup.Group
	working, stop := context.WithCancel(base)
	defer stop()
	s.rules.Enrich, s.rules.Images = func(e *events.Event) { s.fleet.Arrived(e) }, s.binaries
	last.Go(func() error { s.clock.Follow(working); return nil })
	last.Go(func() error { s.fleet.ReadDirectories(working); return nil })
	last.Go(func() error { s.fleet.Watch(working); return nil })
	last.Go(func() error { s.watchServerFiles(working); return nil })
	last.Go(func() error { s.records.Follow(working); return nil })
	last.Go(func() error { s.intake.Run(working); return nil })
	last.Go(func() error { return s.guard.Watch(working, s.stopped) })
	last.Go(func() error { return s.rules.Live.Watch(working) })
	for _, l := range s.listSources {
		last.Go(func() error { l.Run(working); return nil })
	}
	last.Go(func() error { s.gauges(working); return nil })
	last.Go(func() error { s.watch.Run(working); return nil })
	last.Go(func() error { s.sweepArtifacts(working); return nil })
	last.Go(func() error { s.followFacts(working); return nil })
	last.Go(func() error { s.binaries.Run(working); return nil })
	last.Go(func() error { s.watchGuards(working); return nil })
	last.Go(func() error { s.watchEndpoints(working); return nil })
	last.Go(func() error { buswatch.FindLost(working, s.bus, s.fleet, s.log); return nil })
	last.Go(func() error { s.watchAudit(working); return nil })
	last.Go(func() error { s.quarantine.Run(working); return nil })

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.fleet.Run(ctx) })
	g.Go(func() error {
		defer s.intake.Close()
		return s.sources.read(ctx, s.intake.Handle)
	})
	if s.web != nil {
		calls := console.Calls{Conn: s.bus.Conn(), Web: s.web, Log: s.log}
		g.Go(func() error { return s.web.Serve(ctx) })
		g.Go(func() error { return calls.Serve(ctx) })
	}
	if s.canary != nil {
		g.Go(func() error { s.canary.Run(ctx); return nil })
	}
	if s.pager != nil {
		g.Go(func() error { return s.pager.Run(ctx) })
	}
	for _, o := range s.outputs {
		g.Go(func() error { return o.Run(ctx) })
	}
	err := g.Wait()
	stop()
	return errors.Join(err, last.Wait())
}

// stopped wakes the schedulers when a stop is over: while they ask the guard they
// start nothing, and jobs keep their place in line.
func (s *Service) stopped(why error) {
	if why == nil {
		s.fleet.Resume()
	}
}

// Close gives everything back, the last opened first.
func (s *Service) Close() error {
	var errs []error
	for _, c := range slices.Backward(s.closers) {
		errs = append(errs, c())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// Reload reads rules and guards again: on SIGHUP, and when files change. What has
// mistakes leaves what was in force.
func (s *Service) Reload() error {
	return errors.Join(s.reloadEndpoints(), s.reloadGuards(), s.rules.Live.Reload())
}

func (s *Service) rulesChanged(st rules.LiveState) {
	if st.Rejected != nil {
		s.metrics.Reloads.WithLabelValues("rejected").Inc()
		s.log.Error().Err(st.Rejected.Problems).Msg("rule files have mistakes; the rules from before stay in force")
		return
	}
	s.metrics.Reloads.WithLabelValues("taken").Inc()
	s.metrics.Rules.Set(float64(st.Rules))
	s.log.Info().Int("rules", st.Rules).Str("digest", st.Digest).Msg("rules are in force")
}
