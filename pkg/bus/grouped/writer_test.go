package grouped

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"edrpipe/internal/natsd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gate is JetStream that counts what is written one by one, and holds the first of
// it until the gate is opened: meanwhile the others get in line.
type gate struct {
	jetstream.JetStream
	singles atomic.Int32
	first   sync.Once
	held    chan struct{} // closed when the first is there
	open    chan struct{}
}

func (g *gate) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	g.first.Do(func() {
		close(g.held)
		<-g.open
	})
	g.singles.Add(1)
	return g.JetStream.PublishMsg(ctx, m, opts...)
}

// newGate is a gate to a server with a stream of everything below "s".
func newGate(t *testing.T) *gate {
	t.Helper()
	server, err := natsd.Start(natsd.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("", server.InProcess())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nc.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, AllowAtomicPublish: true}); err != nil {
		t.Fatal(err)
	}
	return &gate{JetStream: js, held: make(chan struct{}), open: make(chan struct{})}
}

// slow is a writer that knows that the server takes its time with each message.
func slow(js jetstream.JetStream) *Writer {
	w := New(js)
	w.costs.single = cost(time.Second)
	return w
}

// fresh is a message for a subject on which there was none.
func fresh(subject string) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Data = []byte(subject)
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, "0")
	return m
}

// answers are what writers were told.
type answers struct {
	seqs []uint64
	errs []error
}

// writeAll writes messages at once, the first alone and the others behind it, in
// their order.
func writeAll(t *testing.T, g *gate, w *Writer, contexts []context.Context, msgs []*nats.Msg) answers {
	t.Helper()
	a := answers{make([]uint64, len(msgs)), make([]error, len(msgs))}
	var writers sync.WaitGroup
	for i, m := range msgs {
		writers.Go(func() { a.seqs[i], a.errs[i] = w.Write(contexts[i], m) })
		if i == 0 {
			<-g.held
			continue
		}
		inLine(w, i)
	}
	close(g.open)
	writers.Wait()
	return a
}

// inLine returns when so many wait.
func inLine(w *Writer, n int) {
	for {
		w.mu.Lock()
		is := len(w.line)
		w.mu.Unlock()
		if is == n {
			return
		}
		runtime.Gosched()
	}
}

func background(n int) []context.Context {
	all := make([]context.Context, n)
	for i := range all {
		all[i] = context.Background()
	}
	return all
}

func TestWhatWaitsIsWrittenTogether(t *testing.T) {
	const n = 100
	g := newGate(t)
	var msgs []*nats.Msg
	for i := range n {
		msgs = append(msgs, fresh(fmt.Sprint("s.", i)))
	}
	got := writeAll(t, g, slow(g), background(n), msgs)
	stream, err := g.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range msgs {
		if got.errs[i] != nil || got.seqs[i] != uint64(i+1) {
			t.Errorf("message %d: sequence %d, %v", i, got.seqs[i], got.errs[i])
			continue
		}
		if stored, err := stream.GetMsg(t.Context(), got.seqs[i]); err != nil || stored.Subject != m.Subject || string(stored.Data) != m.Subject {
			t.Errorf("message %d is %+v in the stream, %v", i, stored, err)
		}
	}
	if singles := g.singles.Load(); singles != 1 {
		t.Errorf("%d messages were written one by one, want the first", singles)
	}
}

func TestEachHasItsOwnAnswer(t *testing.T) {
	g := newGate(t)
	taken, batch := fresh("s.taken"), []*nats.Msg{fresh("s.first"), fresh("s.a"), fresh("s.taken"), fresh("s.b"), fresh("s.twice"), fresh("s.twice")}
	if _, err := g.JetStream.PublishMsg(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	got := writeAll(t, g, slow(g), background(len(batch)), batch)
	var refused []string
	for i, m := range batch {
		var api *jetstream.APIError
		switch {
		case errors.As(got.errs[i], &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
			refused = append(refused, m.Subject)
		case got.errs[i] != nil:
			t.Errorf("%s: %v", m.Subject, got.errs[i])
		}
	}
	if want := []string{"s.taken", "s.twice"}; fmt.Sprint(refused) != fmt.Sprint(want) {
		t.Errorf("refused %v, want %v", refused, want)
	}
}

func TestNobodysMessageIsNotWritten(t *testing.T) {
	g := newGate(t)
	w := slow(g)
	gone, leave := context.WithCancel(context.Background())
	contexts := background(4)
	contexts[2] = gone
	var writers sync.WaitGroup
	errs := make([]error, len(contexts))
	left := make(chan struct{})
	for i, ctx := range contexts {
		writers.Go(func() {
			_, errs[i] = w.Write(ctx, fresh(fmt.Sprint("s.", i)))
			if i == 2 {
				close(left)
			}
		})
		if i == 0 {
			<-g.held
			continue
		}
		inLine(w, i)
	}
	leave()
	<-left // though the one before it has no answer yet
	close(g.open)
	writers.Wait()
	stream, err := g.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	if is := stream.CachedInfo().State.Msgs; is != 3 {
		t.Errorf("%d messages are in the stream, want 3", is)
	}
	for i, err := range errs {
		if want := i == 2; errors.Is(err, context.Canceled) != want || (err != nil) != want {
			t.Errorf("message %d: %v", i, err)
		}
	}
}

// TestTheQuickerWayIsTaken: where the server is quick a batch is not worth its store.
func TestTheQuickerWayIsTaken(t *testing.T) {
	for _, c := range []struct {
		name          string
		single, batch time.Duration
		n             int
		together      bool
	}{
		{"before there is experience", 0, 0, 100, false},
		{"one is never a batch", time.Second, time.Millisecond, 1, false},
		{"the server flushes each time", time.Millisecond, 15 * time.Millisecond, 100, true},
		{"few of those", time.Millisecond, 15 * time.Millisecond, 10, false},
		{"it flushes now and then", 40 * time.Microsecond, 15 * time.Millisecond, 100, false},
		{"very many of those", 40 * time.Microsecond, 15 * time.Millisecond, 500, true},
	} {
		if got := (&costs{batch: cost(c.batch), single: cost(c.single)}).together(c.n); got != c.together {
			t.Errorf("%s: together = %t", c.name, got)
		}
	}
	w := New(nil)
	for range 100 {
		w.costs.single.took(time.Millisecond)
	}
	for range 100 {
		w.costs.single.took(2 * time.Millisecond)
	}
	if is := w.costs.single.or(0); is < 1900*time.Microsecond || is > 2*time.Millisecond {
		t.Errorf("after a hundred of 2 ms each costs %v", is)
	}
}

// More than one batch can take: the next writer writes the rest, and each message
// has its own place.
func TestMoreThanABatchIsWritten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ n, size int }{
		"in number": {2*most + 3, 10},
		"in bytes":  {11, bytes / 4}, // three fit
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			var msgs []*nats.Msg
			for i := range c.n {
				m := fresh(fmt.Sprint("s.", i))
				m.Data = append(make([]byte, c.size-len(m.Subject)), m.Subject...)
				msgs = append(msgs, m)
			}
			got := writeAll(t, g, slow(g), background(c.n), msgs)
			stream, err := g.Stream(t.Context(), "S")
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range msgs {
				stored, err := stream.GetLastMsgForSubject(t.Context(), m.Subject)
				if err != nil || got.errs[i] != nil || stored.Sequence != got.seqs[i] || len(stored.Data) != c.size {
					t.Fatalf("message %d of %d: answered %d, %v; stored %+v, %v", i, c.n, got.seqs[i], got.errs[i], stored, err)
				}
			}
		})
	}
}
