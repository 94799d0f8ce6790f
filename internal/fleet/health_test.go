package fleet

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/health"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/directory"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// answering is a server that answers its own question only.
type answering struct {
	edr.Server
	err error
}

func (p answering) Probe(context.Context) error { return p.err }

// TestAServerThatTakesNoRequestsForTheirRate is degraded, says so, and begins nothing.
func TestAServerThatTakesNoRequestsForTheirRate(t *testing.T) {
	t.Parallel()
	m := NewMember("cloud", "", nil, answering{err: fmt.Errorf("%w: until noon", edr.ErrThrottled)}, nil)
	m.prober.note(m.ask(t.Context()), m.prober.now().Since)
	if s := m.prober.now(); s.State != health.Degraded || s.Trouble != RateLimited || s.Cure == "" {
		t.Errorf("status %+v", s)
	}
	if m.Down() == "" {
		t.Error("jobs may begin on a server that takes no requests")
	}
	m.EDR = answering{}
	m.prober.note(m.ask(t.Context()), m.prober.now().Since)
	if s := m.prober.now(); s.State != health.OK || m.Down() != "" {
		t.Errorf("status %+v, down %q, after it answers", s, m.Down())
	}
}

// lapsed is a server whose licence has ended, until it is renewed.
type lapsed struct {
	edr.Server
	mu       sync.Mutex
	renewed  bool
	opened   int // requests for a session after that
	isolated bool
	banned   bool
}

func (l *lapsed) refusal() error {
	if l.renewed {
		return nil
	}
	return fmt.Errorf("HTTP 403: %w: it ended on 2026-01-02", edr.ErrLicence)
}

func (l *lapsed) Probe(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal()
}

func (l *lapsed) Name() string { return "hq" }

func (l *lapsed) Sensor(_ context.Context, id string) (edr.Sensor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := edr.Sensor{ID: id, Hostname: "WKS-" + id, Online: true, LiveResponse: true, OS: edr.Windows, Isolation: edr.NotIsolated}
	if l.isolated && id == "2" {
		s.Isolation = edr.Isolated
	}
	return s, nil
}

func (l *lapsed) Sensors(ctx context.Context, _ edr.SensorQuery) ([]edr.Sensor, error) {
	s, err := l.Sensor(ctx, "1")
	return []edr.Sensor{s}, err
}

func (l *lapsed) Sessions(context.Context) ([]edr.SessionInfo, error) { return nil, nil }

func (l *lapsed) Open(context.Context, string) (edr.Session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusal(); err != nil {
		return nil, err
	}
	l.opened++
	return nil, edr.ErrSessionBusy
}

func (l *lapsed) SetIsolation(_ context.Context, id string, on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isolated = on
	return nil
}

func (l *lapsed) BansBy() edr.HashKind                { return edr.MD5 }
func (l *lapsed) Unban(context.Context, string) error { return nil }

func (l *lapsed) Ban(context.Context, string, string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusal(); err != nil {
		return err
	}
	l.banned = true
	return nil
}

func (l *lapsed) Banned(context.Context, string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.banned, nil
}

// ledger keeps who wants what contained, in memory.
type ledger struct {
	of map[string]actions.Containment
}

func (l ledger) Update(_ context.Context, key string, change func(*actions.Containment) error) (actions.Containment, error) {
	c := l.of[key]
	c.Key = key
	err := change(&c)
	l.of[key] = c
	return c, err
}

// TestAServerWhoseLicenceHasEnded: sessions and bans wait and say why, isolation is
// still tried, and a new licence lets the jobs go on.
func TestAServerWhoseLicenceHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := new(lapsed)
		m := NewMember("hq", "", []string{"hq"}, srv, directory.New(directory.Config{Server: srv, Log: zerolog.Nop()}))
		store, kept := new(jobs.Memory), ledger{map[string]actions.Containment{}}
		var err error
		m.Scheduler, err = jobs.New(jobs.Config{Server: srv, Store: store, Down: m.Down, Log: zerolog.Nop(), Prepare: func(task *actions.Task) { task.Ledger = kept }})
		if err != nil {
			t.Fatal(err)
		}
		f, err := New(Config{Members: []*Member{m}, Store: store, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		go func() { f.Watch(ctx); ended <- nil }()
		go func() { ended <- f.Run(ctx) }()
		defer func() { stop(); <-ended; <-ended }()
		var made []*jobs.Job
		for sensor, step := range map[string]actions.Step{
			"1": {Uses: "list_processes"}, "2": {Uses: "isolate"}, "3": {Uses: "ban_hash", With: map[string]any{"md5": "d41d8cd98f00b204e9800998ecf8427e"}},
		} {
			made = append(made, &jobs.Job{Endpoint: edr.Endpoint{Server: "hq", ID: sensor}, Submitter: "test", Steps: []actions.Step{step}})
		}
		if _, err := f.Enqueue(ctx, made...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if c := m.Check(); c.State != health.Degraded || !strings.HasPrefix(c.Evidence, "licence_ended: ") || !strings.Contains(c.Evidence, "2026-01-02") || c.Cure == "" {
			t.Errorf("check %+v", c)
		}
		for _, j := range made {
			var x jobs.Explanation
			for range 120 { // between two tries of a job
				if x, err = m.Scheduler.Explain(ctx, j.ID); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(x.Detail, edr.ErrLicence.Error()) {
					break
				}
				time.Sleep(time.Second)
			}
			switch uses := j.Steps[0].Uses; {
			case uses == "isolate" && x.Job.State != jobs.Succeeded:
				t.Errorf("isolation is %s: %s", x.Job.State, x.Detail)
			case uses != "isolate" && (x.Job.State.Terminal() || !strings.Contains(x.Detail, edr.ErrLicence.Error())):
				t.Errorf("%s is %s, for %s: %s", uses, x.Job.State, x.Reason, x.Detail)
			}
		}
		srv.mu.Lock()
		srv.renewed = true
		srv.mu.Unlock()
		time.Sleep(20 * time.Minute)
		srv.mu.Lock()
		defer srv.mu.Unlock()
		if srv.opened == 0 || !srv.banned || m.prober.now().State != health.OK {
			t.Errorf("with a new licence: %d sessions requested, banned %v, %+v", srv.opened, srv.banned, m.prober.now())
		}
	})
}
