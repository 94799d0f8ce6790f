package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/fleet"
	"edrpipe/internal/intake"
	"edrpipe/internal/natsd"
	"edrpipe/internal/notices"
	"edrpipe/internal/telemetry"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/directory"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/natsstore"
	"edrpipe/pkg/shares"
	"edrpipe/rules"
)

// server is an EDR server of one endpoint that counts what is done. It implements
// edr.Server.
type server struct {
	mu  sync.Mutex
	did map[string]int
}

var errNone = errors.New("the server has no sessions")

func (s *server) Name() string { return "hq" }

func (s *server) Sensor(context.Context, string) (edr.Sensor, error) {
	return edr.Sensor{ID: "1", Hostname: "WKS-1", OS: edr.Windows, Online: true, LastCheckin: time.Now(), NextCheckin: time.Now().Add(30 * time.Second)}, nil
}

func (s *server) Sensors(ctx context.Context, _ edr.SensorQuery) ([]edr.Sensor, error) {
	one, err := s.Sensor(ctx, "1")
	return []edr.Sensor{one}, err
}

func (s *server) Sessions(context.Context) ([]edr.SessionInfo, error)     { return nil, nil }
func (s *server) Open(context.Context, string) (edr.Session, error)       { return nil, errNone }
func (s *server) Attach(context.Context, string) (edr.Session, error)     { return nil, errNone }
func (s *server) CloseSession(context.Context, string) error              { return nil }
func (s *server) Commands(context.Context, string) ([]edr.Command, error) { return nil, errNone }

func (s *server) do(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did[what]++
}

func (s *server) done(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.did[what]
}

type params struct{}

type output struct {
	Done bool `json:"done"`
}

// Actions whose effects are counted: one that must not run twice, and one whose effect
// can be looked up.
var (
	_ = actions.Register(actions.Definition[params, output]{
		Is: actions.Spec{Name: "test_once", Class: actions.Once},
		Do: func(_ context.Context, t *actions.Task, _ params) (output, error) {
			t.Server.(*server).do("once " + t.Job.ID)
			return output{true}, nil
		},
	})
	_ = actions.Register(actions.Definition[params, output]{
		Is: actions.Spec{Name: "test_mark", Class: actions.Checkable},
		Do: func(_ context.Context, t *actions.Task, _ params) (output, error) {
			t.Server.(*server).do("mark " + t.Job.ID)
			return output{true}, nil
		},
		Already: func(_ context.Context, t *actions.Task, _ params) (bool, output, error) {
			return t.Server.(*server).done("mark "+t.Job.ID) > 0, output{true}, nil
		},
	})
)

const ruleText = `
rules:
  - { id: acts, on: process_start, when: process.name == "evil.exe", max_age: any, suppress: { key: [process.pid], for: 10m }, steps: [ { uses: test_mark }, { uses: test_once } ] }
  - { id: counts, on: process_start, when: process.name == "burst.exe", max_age: any, correlate: { type: event_count, group_by: [sensor.id], timespan: 10m, gte: 3 }, steps: [ { uses: test_once } ] }
  - { id: limited, on: process_start, when: process.name == "limited.exe", max_age: any, suppress: { for: 0s }, limits: { jobs: 1, per: 24h, on_exceed: drop }, steps: [ { uses: test_once } ] }
  - { id: fails, on: process_start, when: process.name == "broken.exe" and int(process.name) > 0, max_age: any, steps: [ { uses: test_once } ] }
`

// sent is what arrives: by rule, what it has to become.
func sent() (bodies []string) {
	for i, name := range []string{"evil", "evil", "burst", "burst", "burst", "limited", "limited", "broken"} {
		pid := 100 + i
		if name == "evil" {
			pid = 7
		}
		bodies = append(bodies, fmt.Sprintf(`{"type":"ingress.event.procstart","timestamp":%d,"pid":%d,"path":"c:\\temp\\%s.exe","process_guid":"g%d","sensor_id":1,"computer_name":"WKS-1","cb_server":"hq"}`, time.Now().Unix()+int64(i), pid, name, i))
	}
	return append(bodies, `{"type":"ingress.event.procstart",`)
}

// world is a replica on a bus of which one call fails.
type world struct {
	faulty *bustest.Faulty
	bus    *bus.Bus // of which none fails
	srv    *server
	table  jobs.TableStore
	log    *audit.Stream

	stop func()
}

// build starts everything but the events.
func build(t *testing.T, dir, rulesFile string, alone bool) *world {
	t.Helper()
	faulty := bustest.ServeFaulty(t, natsd.Config{Dir: dir, Sync: time.Hour})
	w := &world{faulty: faulty, srv: &server{did: map[string]int{}}}
	w.bus = bustest.Connect(t, bus.Config{InProcess: faulty.Server})
	b := bustest.Connect(t, bus.Config{InProcess: faulty, Log: zerolog.Nop()})
	w.log = &audit.Stream{JetStream: b.JetStream(), Name: bus.StreamAudit, Subject: "edr.audit"}
	log := audit.New(audit.Config{Store: w.log})
	store, err := natsstore.Open(t.Context(), b.JetStream(), bus.BucketJobs, bus.BucketFinished, nil)
	fatal(t, err)
	control, err := b.Bucket(t.Context(), bus.BucketControl)
	fatal(t, err)
	g := guard.New(guard.Config{Store: guard.KV{Bucket: control}, Policy: &guard.Policy{Breaker: guard.Breaker{Jobs: 100, Failures: 10}}, Log: zerolog.Nop()})
	publisher := notices.Publisher{Bus: b, Title: "test"}
	m := fleet.NewMember("hq", "", []string{"hq"}, w.srv, directory.New(directory.Config{Server: w.srv, Log: zerolog.Nop()}))
	w.table = natsstore.Table{Bucket: control, Server: "hq"}
	m.Scheduler, err = jobs.New(jobs.Config{
		Server: w.srv, Store: store, Table: w.table, Owner: "replica", Admit: g.Admit, Stopped: func() error { return g.Stopped(guard.Area{Server: "hq"}) }, Log: zerolog.Nop(),
		Report: func(ctx context.Context, r jobs.Report) error {
			if r.Final {
				if err := log.Append(ctx, audit.Entry{Kind: "job", By: "test", Job: r.Job.ID, What: string(r.Job.State)}); err != nil {
					return err
				}
			}
			return publisher.Report(ctx, r)
		},
	})
	fatal(t, err)
	fatal(t, m.Directory.Read(t.Context()))
	f, err := fleet.New(fleet.Config{Members: []*fleet.Member{m}, Store: store, Log: zerolog.Nop()})
	fatal(t, err)
	live, err := rules.NewLive(rules.LiveConfig{Paths: []string{rulesFile}})
	fatal(t, err)
	tracing, err := telemetry.NewTracing(t.Context(), "", "test")
	fatal(t, err)
	set := intake.NewRuleset(live, nil)
	set.Enrich = func(e *events.Event) { f.Arrived(e) }
	records := &bus.Records{Bus: b, Bucket: bus.BucketControl, Shares: shares.NewLedger(shares.Limits{}, nil)}
	in := intake.New(intake.Config{
		Rules: set, State: records, Guard: g, Audit: log, Fleet: f,
		Dead: &jetstream.DeadLetters{JetStream: b.JetStream(), Stream: bus.StreamDead}, Notices: publisher,
		Metrics: telemetry.New(), Tracing: tracing, Gate: func(context.Context) error { return nil }, Now: time.Now, Log: zerolog.Nop(),
	})
	source := jetstream.New(jetstream.Config{JetStream: b.JetStream(), Stream: bus.StreamEvents, Durable: "rules", Alone: alone, Log: zerolog.Nop()})
	w.run(t, f, g, in, records, source)
	return w
}

// run starts the replica's goroutines; w.stop waits for their end.
func (w *world) run(t *testing.T, f *fleet.Fleet, g *guard.Guard, in *intake.Intake, records *bus.Records, source *jetstream.Source) {
	base := context.WithoutCancel(t.Context())
	reading, stopReading := context.WithCancel(base)
	working, stopWorking := context.WithCancel(base)
	var read, work sync.WaitGroup
	work.Go(func() {
		if err := f.Run(working); err != nil {
			t.Error(err)
		}
	})
	work.Go(func() { _ = g.Watch(working, nil) })
	work.Go(func() { records.Follow(working) })
	work.Go(func() { in.Run(base) })
	read.Go(func() {
		if err := source.Read(reading, in.Handle); err != nil && reading.Err() == nil {
			t.Error(err)
		}
	})
	w.stop = func() {
		stopReading()
		read.Wait()
		in.Close()
		stopWorking()
		work.Wait()
	}
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rulesIn writes the rules' file.
func rulesIn(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	fatal(t, os.WriteFile(file, []byte(ruleText), 0o600))
	return file
}

// send publishes the events, each with an id of its own.
func (w *world) send(t *testing.T) {
	t.Helper()
	for i, body := range sent() {
		m := jetstream.Encode(jetstream.Prefix, events.Message{Body: []byte(body), ContentType: "application/json", Server: "hq"})
		m.Header.Set("Nats-Msg-Id", fmt.Sprint("event-", i))
		_, err := w.bus.JetStream().PublishMsg(t.Context(), m)
		fatal(t, err)
	}
}

// settled waits until every event is acknowledged, every job archived and no sensor claimed.
func (w *world) settled(t *testing.T) {
	t.Helper()
	why := ""
	for deadline := time.Now().Add(time.Hour); time.Now().Before(deadline); time.Sleep(time.Second) {
		if why = w.unsettled(t); why == "" {
			return
		}
	}
	t.Errorf("not settled after an hour: %s", why)
}

func (w *world) unsettled(t *testing.T) string {
	t.Helper()
	stream, err := w.bus.JetStream().Stream(t.Context(), bus.StreamEvents)
	fatal(t, err)
	c, err := stream.Consumer(t.Context(), "rules")
	if err != nil {
		return err.Error()
	}
	info, err := c.Info(t.Context())
	fatal(t, err)
	if info.NumPending+uint64(info.NumAckPending) > 0 || info.AckFloor.Stream < uint64(len(sent())) {
		return fmt.Sprintf("%d events are not delivered, %d not acknowledged", info.NumPending, info.NumAckPending)
	}
	live, err := w.bus.JetStream().KeyValue(t.Context(), bus.BucketJobs)
	fatal(t, err)
	keys, err := live.ListKeys(t.Context())
	fatal(t, err)
	var left []string
	for key := range keys.Keys() {
		if key != "watch.barrier" {
			left = append(left, key)
		}
	}
	if slices.Sort(left); len(left) > 0 {
		return fmt.Sprintf("jobs are live: %v", left)
	}
	table, _, err := w.table.Load(t.Context())
	if err != nil || len(table.Claims) > 0 {
		return fmt.Sprintf("claims are left: %v, %v", table.Claims, err)
	}
	return ""
}
