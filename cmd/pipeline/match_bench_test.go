package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/workload"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/expression"
	"edrpipe/rules"
)

// benchMessages are in the stream; each iteration reads all of them.
const benchMessages = 100_000

// BenchmarkEndToEnd reads a file stream of an embedded bus to its end: by a bare
// consumer that acknowledges nothing and looks at nothing; by the service's source,
// settling each message; and with rules asked of each event. The ways take turns
// and the fastest turn of each counts, since other work on the machine would else
// decide which looks better; what the median turns give is reported, too.
func BenchmarkEndToEnd(b *testing.B) {
	conn := benchStream(b)
	ways := []struct {
		name   string
		handle func(*events.Message) // nil: bare
		turns  []time.Duration
		spent  []time.Duration // processor time of the turns, bus and all
	}{{name: "consume"}, {name: "source", handle: func(*events.Message) {}}, {name: "rules=10"}, {name: "rules=10000"}}
	for i, n := range []int{10, 10_000} {
		m := rules.NewMatcher(generatedSet(b, n), &events.Decoder{LazyRaw: true}, nil)
		for _, line := range workload.JSON(4096, 7) { // costs are learnt
			m.Message(&events.Message{Body: line})
		}
		ways[i+2].handle = func(msg *events.Message) { m.Message(msg) }
	}
	b.ResetTimer()
	for turn := range b.N {
		for i := range ways {
			w, before := &ways[i], processorTime(b)
			if w.handle == nil {
				w.turns = append(w.turns, consumeAll(b, conn))
			} else {
				w.turns = append(w.turns, readAll(b, conn, fmt.Sprintf("bench-%d-%d-%d", b.N, turn, i), w.handle))
			}
			w.spent = append(w.spent, processorTime(b)-before)
		}
	}
	for _, w := range ways {
		b.ReportMetric(benchMessages/slices.Min(w.turns).Seconds(), w.name+"-events/s")
		b.ReportMetric(slices.Min(ways[0].turns).Seconds()/slices.Min(w.turns).Seconds(), w.name+"-of-consume")
		b.ReportMetric(median(ways[0].turns).Seconds()/median(w.turns).Seconds(), w.name+"-of-consume-median")
		b.ReportMetric(median(w.spent).Seconds()*1e6/benchMessages, w.name+"-cpu-µs/event")
	}
}

// processorTime is what the process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(turns []time.Duration) time.Duration {
	slices.Sort(turns)
	return turns[len(turns)/2]
}

func generatedSet(b *testing.B, n int) *rules.Set {
	b.Helper()
	scope := expression.EventScope()
	var compiled []*rules.Compiled
	for _, r := range workload.Rules(n, 1) {
		when, err := scope.Condition(r.When)
		if err != nil {
			b.Fatal(err)
		}
		compiled = append(compiled, &rules.Compiled{Rule: &rules.Rule{ID: r.ID, On: []string{r.On}, Enabled: true}, When: when})
	}
	return rules.NewSet(compiled)
}

// benchStream is a file stream with generated events.
func benchStream(b *testing.B) *bus.Bus {
	b.Helper()
	conn := bustest.Start(b)
	p := jetstream.NewPublisher(jetstream.PublisherConfig{JetStream: conn.JetStream()})
	lines := workload.JSON(4096, 7)
	for i := range benchMessages {
		m := events.Message{Body: lines[i%len(lines)], ContentType: "application/json", Server: "edr01",
			ID: fmt.Sprint(i)}
		if err := p.Carry(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	return conn
}

// consumeAll is the baseline of readAll.
func consumeAll(b *testing.B, conn *bus.Bus) time.Duration {
	b.Helper()
	c, err := conn.JetStream().CreateConsumer(b.Context(), bus.StreamEvents, natsjs.ConsumerConfig{AckPolicy: natsjs.AckNonePolicy})
	if err != nil {
		b.Fatal(err)
	}
	var began time.Time
	done, n := make(chan time.Duration, 1), 0
	run, err := c.Consume(func(natsjs.Msg) {
		if n == 0 {
			began = time.Now()
		}
		if n++; n == benchMessages {
			done <- time.Since(began)
		}
	}, natsjs.PullMaxMessages(5000))
	if err != nil {
		b.Fatal(err)
	}
	spent := <-done
	run.Stop()
	<-run.Closed()
	return spent
}

// readAll reads the stream through a consumer of its own and returns how long
// it took from the first message to the last.
func readAll(b *testing.B, conn *bus.Bus, durable string, handle func(*events.Message)) time.Duration {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	source := jetstream.New(jetstream.Config{JetStream: conn.JetStream(), Stream: "EVENTS", Durable: durable, Pull: 5000, Alone: true})
	var began time.Time
	var spent time.Duration
	n := 0
	var kept events.Message // as in the service, which matches where it reads
	err := source.Read(ctx, func(_ context.Context, msg events.Message) error {
		if n == 0 {
			began = time.Now()
		}
		kept = msg
		handle(&kept)
		msg.Settle(nil)
		if n++; n == benchMessages {
			spent = time.Since(began)
			stop()
		}
		return nil
	})
	if err != nil || n != benchMessages {
		b.Fatalf("read %d messages: %v", n, err)
	}
	return spent
}
