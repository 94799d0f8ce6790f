package jetstream_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

// benchmarkEvent is as long as the mean of a forwarder's events.
func benchmarkEvent(i int) events.Message {
	return events.Message{Server: "edr01", RoutingKey: "ingress.event.netconn", ContentType: "application/json",
		Body: fmt.Appendf(nil, `{"n":%d,"pad":"%s"}`, i, strings.Repeat("x", 640)),
		ID:   fmt.Sprint(i)}
}

// BenchmarkRead reads a stream that is full: without acknowledging, with a bare
// consumer that acknowledges each message, and with the source, sharing its
// consumer and alone.
func BenchmarkRead(b *testing.B) {
	consume := func(policy natsjs.AckPolicy) func(*testing.B, *bus.Bus) {
		return func(b *testing.B, conn *bus.Bus) {
			c, err := conn.JetStream().CreateConsumer(b.Context(), bus.StreamEvents, natsjs.ConsumerConfig{AckPolicy: policy, MaxAckPending: 20_000})
			if err != nil {
				b.Fatal(err)
			}
			done, n := make(chan struct{}), 0
			run, err := c.Consume(func(m natsjs.Msg) {
				if policy != natsjs.AckNonePolicy {
					_ = m.Ack()
				}
				if n++; n == b.N {
					close(done)
				}
			}, natsjs.PullMaxMessages(2000))
			if err != nil {
				b.Fatal(err)
			}
			<-done
			run.Stop()
			<-run.Closed()
		}
	}
	for _, c := range []struct {
		name string
		read func(*testing.B, *bus.Bus)
	}{
		{"consume-only", consume(natsjs.AckNonePolicy)},
		{"consume-ack-each", consume(natsjs.AckExplicitPolicy)},
		{"source", readWith(false)},
		{"source-alone", readWith(true)},
	} {
		b.Run(c.name, func(b *testing.B) {
			conn := bustest.Start(b)
			fill(b, conn, b.N)
			b.ResetTimer()
			c.read(b, conn)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func readWith(alone bool) func(*testing.B, *bus.Bus) {
	return func(b *testing.B, conn *bus.Bus) {
		ctx, cancel := context.WithCancel(b.Context())
		n := 0
		err := source(conn, func(c *jetstream.Config) { c.Alone = alone }).Read(ctx, func(_ context.Context, m events.Message) error {
			m.Settle(nil)
			if n++; n == b.N {
				cancel()
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCarryFlushed puts messages onto a bus that flushes each write, as it does by
// default.
func BenchmarkCarryFlushed(b *testing.B) {
	conn := bustest.Connect(b, bus.Config{InProcess: bustest.Serve(b, natsd.Config{})})
	b.ResetTimer()
	fill(b, conn, b.N)
}

func fill(b *testing.B, conn *bus.Bus, n int) {
	p := jetstream.NewPublisher(jetstream.PublisherConfig{JetStream: conn.JetStream()})
	for i := range n {
		if err := p.Carry(b.Context(), benchmarkEvent(i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCarry puts messages onto a stream, beside publishing them bare.
func BenchmarkCarry(b *testing.B) {
	b.Run("publish-only", func(b *testing.B) {
		conn := bustest.Start(b)
		b.ResetTimer()
		acks := make(chan natsjs.PubAckFuture, 1000)
		done := make(chan error, 1)
		go func() {
			for a := range acks {
				select {
				case <-a.Ok():
				case err := <-a.Err():
					done <- err
					return
				}
			}
			done <- nil
		}()
		for i := range b.N {
			a, err := conn.JetStream().PublishAsync("edr.events.edr01.ingress.event.netconn", benchmarkEvent(i).Body)
			if err != nil {
				b.Fatal(err)
			}
			acks <- a
		}
		close(acks)
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("publisher", func(b *testing.B) {
		conn := bustest.Start(b)
		b.ResetTimer()
		fill(b, conn, b.N)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}
