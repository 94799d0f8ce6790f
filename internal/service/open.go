package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/buswatch"
	"edrpipe/internal/config"
	"edrpipe/internal/intake"
	"edrpipe/internal/natsd"
	"edrpipe/internal/notices"
	"edrpipe/internal/secretfiles"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/guard"
	"edrpipe/rules"
)

// openBus starts or finds the bus and sets up what is kept on it.
func (s *Service) openBus(ctx context.Context) error {
	c := s.cfg.Bus
	conf := bus.Config{
		URL: c.URL, User: c.User, Creds: c.Creds, NKey: c.NKey, CA: c.CA, Cert: c.Cert, Key: c.Key, Replicas: c.Replicas, Readers: c.Readers,
		Limits: bus.Limits{
			EventsAge: c.Events.Age, EventsBytes: c.Events.Bytes, DeadAge: c.Dead.Age, DeadBytes: c.Dead.Bytes,
			ResultsAge: c.Results.Age, ResultsBytes: c.Results.Bytes, JobsAge: c.History.Age, JobsBytes: c.History.Bytes,
		},
		Seal: s.seal, Log: s.log,
	}
	if c.URL == "" {
		if err := s.startEmbedded(&conf); err != nil {
			return err
		}
	} else if err := readPassword(c.Password, &conf.Password); err != nil {
		return fmt.Errorf("bus.password_file: %w", err)
	}
	var err error
	if s.bus, err = bus.Connect(ctx, conf); err != nil {
		return err
	}
	s.closers = append(s.closers, func() error { s.bus.Close(); return nil })
	s.clock = bus.NewClock(s.bus)
	s.ingest = s.bus
	if c.IngestUser != "" {
		conf.User = c.IngestUser
		if err := readPassword(c.IngestPassword, &conf.Password); err != nil {
			return fmt.Errorf("bus.ingest_password_file: %w", err)
		}
		if s.ingest, err = bus.Connect(ctx, conf); err != nil {
			return err
		}
		s.closers = append(s.closers, func() error { s.ingest.Close(); return nil })
	}
	s.notices = notices.Publisher{Bus: s.bus, Title: s.cfg.Title(), Tenant: s.tenantOf}
	if err := s.openWatch(conf); err != nil {
		return err
	}
	if err := s.setUpBus(ctx); err != nil {
		return err
	}
	if err := s.openAudit(); err != nil {
		return err
	}
	return s.meetBus(ctx)
}

func (s *Service) openWatch(conf bus.Config) error {
	t, err := conf.TLS()
	if err != nil {
		return err
	}
	s.watch = buswatch.New(buswatch.Config{
		Bus: s.bus, Ingest: s.ingest, Embedded: s.embedded, Owner: s.owner, Data: s.cfg.Data, Floor: s.cfg.Bus.Floor,
		Monitors: s.cfg.Bus.Monitor, Replicas: s.cfg.Bus.Replicas, TLS: t, Repaired: s.repaired, Metrics: s.metrics, Log: s.log,
	})
	return nil
}

// setUpBus creates the streams and learns the bus's time; on a cluster that is still electing it is tried
// again until the start's context ends.
func (s *Service) setUpBus(ctx context.Context) error {
	for {
		made, err := s.bus.Reconcile(ctx, func(bus.Change) bool { return true })
		s.made = append(s.made, made...)
		if err == nil {
			err = s.clock.Ask(ctx)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || !passing(err) {
			return err
		}
		s.log.Warn().Err(err).Msg("the bus is not ready for its streams yet")
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// passing reports whether an error is transient: the bus is starting or electing.
func passing(err error) bool {
	var api *natsjs.APIError
	if errors.As(err, &api) {
		return api.Code == http.StatusServiceUnavailable
	}
	return errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrDisconnected) || errors.Is(err, natsjs.ErrJetStreamNotEnabled)
}

// startEmbedded runs the bus in this process; with bus.listen also for others, with
// the same zones as the shipped accounts of an external one.
func (s *Service) startEmbedded(conf *bus.Config) error {
	c := natsd.Config{Dir: filepath.Join(s.cfg.Data, "bus"), Listen: s.cfg.Bus.Listen, Sync: s.cfg.Bus.Sync, Log: s.log}
	if c.Listen != "" {
		if err := s.busUsers(&c); err != nil {
			return err
		}
	}
	ns, err := natsd.Start(c)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, ns.Close)
	s.embedded = ns
	conf.InProcess = ns
	return nil
}

// busUsers gives an embedded bus that listens its users.
func (s *Service) busUsers(c *natsd.Config) error {
	users, err := secretfiles.Bus(config.BusUsers(s.cfg.Data))
	if err != nil {
		return err
	}
	c.User, c.Pass, c.Ingest, c.Reader = s.cfg.Bus.User, users.Operator, users.Ingest, users.Reader
	if err := readPassword(s.cfg.Bus.Password, &c.Pass); err != nil {
		return fmt.Errorf("bus.password_file: %w", err)
	}
	return nil
}

func readPassword(file string, into *string) error {
	if file == "" {
		return nil
	}
	text, err := secret(file)
	*into = text
	return err
}

// openGuard reads the guards file and the state that guards share.
func (s *Service) openGuard(ctx context.Context) error {
	control, err := s.bus.Bucket(ctx, bus.BucketControl)
	if err != nil {
		return err
	}
	s.guardsChanged = modified(s.cfg.Guards)
	policy, err := s.policy()
	if err != nil {
		return err
	}
	mark, err := guard.OpenMark(filepath.Join(s.cfg.Data, "switches.mark"))
	if err != nil {
		return err
	}
	s.guard = guard.New(guard.Config{Store: guard.KV{Bucket: control}, Policy: policy, Facts: s.facts, Now: s.clock.Now, Record: s.recordChange, Mark: mark, Log: s.log})
	return s.lostBefore(ctx)
}

func (s *Service) openRules() error {
	shrink, err := s.cfg.Lists.Shrink()
	if err != nil {
		return fmt.Errorf("lists.max_shrink: %w", err)
	}
	if err := s.openListSources(shrink); err != nil {
		return err
	}
	live, err := rules.NewLive(rules.LiveConfig{Paths: s.cfg.Rules, Shrink: shrink, Elsewhere: s.listValues, Changed: s.rulesChanged})
	if err != nil {
		return err
	}
	s.rules = intake.NewRuleset(live, s.cfg.Rules)
	s.metrics.Rules.Set(float64(live.Set().Len()))
	for _, p := range DanglingIn(s.cfg, live.Set()) {
		s.log.Warn().Msg(p.String())
	}
	s.log.Info().Int("rules", live.Set().Len()).Str("digest", live.State().Digest).Msg("rules are in force")
	return nil
}

// liveLists looks into the lists of the rules in force.
type liveLists struct{ rules *intake.Ruleset }

// Has implements expression.Lists.
func (l liveLists) Has(list, value string) bool {
	lists := l.rules.Live.Set().Source().Lists
	return lists != nil && lists.Has(list, value)
}

// Names implements expression.Lists.
func (l liveLists) Names() []string {
	if lists := l.rules.Live.Set().Source().Lists; lists != nil {
		return lists.Names()
	}
	return nil
}

// prepare gives an action its means.
func (s *Service) prepare(t *actions.Task) {
	t.Artifacts = s.artifacts
	t.Ledger = s.ledger
	t.HTTP = s.http
	t.Secret = func(name string) (actions.Secret, error) {
		text, err := namedSecret(name)
		return actions.Secret{Text: text, Hosts: s.cfg.Secrets[name].Hosts}, err
	}
	t.Publish = func(ctx context.Context, subject string, body any) error {
		return s.bus.Publish(ctx, bus.Notice{
			Subject: "edr.published." + subject, ID: t.Job.ID + "-" + t.Job.Step, Type: notices.TypePublished,
			Source: "edrpipe/" + t.Server.Name(), About: "job/" + t.Job.ID, Time: s.clock.Now(), Data: body,
		})
	}
	if s.cfg.Files != "" {
		t.Scripts = scripts{os.DirFS(s.cfg.Files)}
	}
}

// scripts is the directory of files that rules may put on endpoints.
type scripts struct{ fs.FS }

// Open implements actions.Scripts; fs.FS refuses names that lead elsewhere.
func (s scripts) Open(name string) (io.ReadCloser, error) { return s.FS.Open(name) }

// namedSecret gives an action the secret of that name, from the environment:
// EDRPIPE_SECRET_<NAME>, or the file that EDRPIPE_SECRET_<NAME>_FILE names.
func namedSecret(name string) (string, error) {
	variable := "EDRPIPE_SECRET_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if v := os.Getenv(variable); v != "" {
		return v, nil
	}
	if file := os.Getenv(variable + "_FILE"); file != "" {
		return secret(file)
	}
	return "", fmt.Errorf("secret %q is not there: set %s or %s_FILE", name, variable, variable)
}

func newDeadLetters(b *bus.Bus) *jetstream.DeadLetters {
	return &jetstream.DeadLetters{JetStream: b.JetStream(), Stream: bus.StreamDead}
}
