package outputs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"edrpipe/internal/health"
	"edrpipe/internal/notices"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/job"
)

// place is a destination that fails and refuses as it is told.
type place struct {
	mu     sync.Mutex
	fails  int    // attempts that fail first
	refuse string // ids with it are refused
	ids    []string
	closed bool
}

func (p *place) Send(_ context.Context, batch []Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails > 0 {
		p.fails--
		return errors.New("out of order")
	}
	for _, m := range batch {
		if p.refuse != "" && strings.Contains(m.ID, p.refuse) {
			return fmt.Errorf("%w: %s", ErrRefused, m.ID)
		}
	}
	for _, m := range batch {
		p.ids = append(p.ids, m.ID)
	}
	return nil
}

func (p *place) Close() error { p.closed = true; return nil }

func (p *place) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.ids)
}

// letters are the dead letters of a test.
type letters struct {
	mu    sync.Mutex
	fails int
	all   []string
}

func (l *letters) keep(_ context.Context, m jetstream.Msg, _ error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails > 0 {
		l.fails--
		return errors.New("the stream is full")
	}
	l.all = append(l.all, m.Subject())
	return nil
}

func (l *letters) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

func publish(t *testing.T, b *bus.Bus, ids ...string) {
	t.Helper()
	p := notices.Publisher{Bus: b}
	for _, id := range ids {
		rule, _, _ := strings.Cut(id, "-")
		j := &jobs.Job{ID: id, Rule: rule, State: jobs.Succeeded, Ended: time.Unix(1, 0)}
		if err := p.Report(t.Context(), jobs.Report{Job: j, Final: true}); err != nil {
			t.Fatal(err)
		}
	}
}

// start runs an output until the returned function is called.
func start(t *testing.T, c Config) (o *Output, stop func()) {
	t.Helper()
	o, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	return o, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func config(b *bus.Bus, to Sink, dead *letters) Config {
	return Config{Name: "siem", JetStream: b.JetStream(), Only: []string{"results", "decisions"}, Format: CloudEvents, Sink: to, Dead: dead.keep, Retry: time.Millisecond, Log: zerolog.Nop()}
}

func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(30 * time.Second); !so(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("never: " + what)
		}
	}
}

// TestNothingIsLost: a destination that fails gets everything once it works, what it
// refuses is a dead letter and takes no other message along, and the next start goes on
// after the last.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	to, dead := &place{fails: 3, refuse: "bad"}, &letters{fails: 2}
	publish(t, b, "r-1", "r-bad", "r-2")
	o, stop := start(t, config(b, to, dead))
	eventually(t, "both good messages arrive", func() bool { return len(to.got()) == 2 && dead.count() == 1 })
	eventually(t, "the check is ok again", func() bool { return o.Check().State == health.OK })
	if e := o.Check().Evidence; !strings.Contains(e, "2 messages forwarded") || !strings.Contains(e, "1 refused") {
		t.Error(e)
	}
	if got, want := to.got(), []string{"r-1-result", "r-2-result"}; !slices.Equal(got, want) {
		t.Errorf("the destination has %v, want %v", got, want)
	}
	if dead.all[0] != "edr.results.r.r-bad" {
		t.Error(dead.all)
	}
	stop()
	if !to.closed {
		t.Error("the destination was not closed")
	}
	publish(t, b, "r-3")
	_, stop = start(t, config(b, to, dead))
	eventually(t, "the later message arrives", func() bool { return len(to.got()) == 3 })
	stop()
	if got := to.got(); got[2] != "r-3-result" || dead.count() != 1 {
		t.Errorf("after the second start: %v, %d dead letters", got, dead.count())
	}
}

// TestFailingIsShown: while a destination fails its check says so, and nothing is lost
// by a stop meanwhile.
func TestFailingIsShown(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	to, dead := &place{fails: 1 << 30}, &letters{}
	publish(t, b, "r-1")
	o, stop := start(t, config(b, to, dead))
	eventually(t, "the check fails", func() bool { return o.Check().State == health.Degraded })
	if e := o.Check().Evidence; !strings.Contains(e, "out of order") {
		t.Error(e)
	}
	stop()
	s, err := b.JetStream().Consumer(t.Context(), bus.StreamResults, "output-siem")
	if err != nil {
		t.Fatal(err)
	}
	if info := s.CachedInfo(); info.AckFloor.Stream != 0 {
		t.Errorf("acknowledged up to %d, and the destination has nothing", info.AckFloor.Stream)
	}
}

// TestAStreamThatCannotBeReadIsShown, though another one is read.
func TestAStreamThatCannotBeReadIsShown(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	if err := b.JetStream().DeleteStream(t.Context(), bus.StreamJobs); err != nil {
		t.Fatal(err)
	}
	to, dead := &place{}, &letters{}
	o, stop := start(t, config(b, to, dead))
	defer stop()
	publish(t, b, "r-1")
	eventually(t, "the result arrives", func() bool { return len(to.got()) == 1 })
	eventually(t, "the check names the stream", func() bool {
		c := o.Check()
		return c.State == health.Degraded && strings.Contains(c.Evidence, bus.StreamJobs)
	})
	if err := b.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the check is ok again", func() bool { return o.Check().State == health.OK })
}

// TestOnly: the rules and kinds that are named are forwarded, others are left out.
func TestOnly(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	p := notices.Publisher{Bus: b}
	publish(t, b, "a-1", "b-1", "a-2")
	for _, rule := range []string{"a", "b"} {
		if err := p.Decision(t.Context(), notices.Decision{Job: rule + "-9", Rule: rule, Reason: "suppressed"}); err != nil {
			t.Fatal(err)
		}
	}
	to, dead := &place{}, &letters{}
	c := config(b, to, dead)
	c.Rules = []string{"a"}
	_, stop := start(t, c)
	eventually(t, "three messages arrive", func() bool { return len(to.got()) == 3 })
	stop()
	got := to.got()
	slices.Sort(got)
	if want := []string{"a-1-result", "a-2-result", "a-9-suppressed"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, stream := range []string{bus.StreamResults, bus.StreamJobs} { // what is left out is acknowledged, too
		s, err := b.JetStream().Consumer(t.Context(), stream, "output-siem")
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "all is acknowledged in "+stream, func() bool {
			info, err := s.Info(t.Context())
			return err == nil && info.NumAckPending == 0 && info.NumPending == 0
		})
	}
}

// TestGarbageIsBuried: what is no CloudEvent becomes a dead letter.
func TestGarbageIsBuried(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	if _, err := b.JetStream().Publish(t.Context(), "edr.results.x.y", []byte("{")); err != nil {
		t.Fatal(err)
	}
	to, dead := &place{}, &letters{}
	_, stop := start(t, config(b, to, dead))
	eventually(t, "a dead letter is there", func() bool { return dead.count() == 1 })
	stop()
	if len(to.got()) != 0 {
		t.Error(to.got())
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, only := range [][]string{nil, {"result"}} {
		if _, err := New(Config{Name: "x", Only: only}); err == nil {
			t.Errorf("only %q was taken", only)
		}
	}
}

// TestCloudEventsAreUnchanged: consumers of an output and of the bus read the same.
func TestCloudEventsAreUnchanged(t *testing.T) {
	t.Parallel()
	whole, err := json.Marshal(map[string]any{"id": "1", "data": job.ResultNotice{Job: "j"}, "own": 1})
	if err != nil {
		t.Fatal(err)
	}
	body, err := CloudEvents(Notice{whole: whole})
	if err != nil || string(body) != string(whole) {
		t.Errorf("%s %v", body, err)
	}
}
