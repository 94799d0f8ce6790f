package amqp_test

import (
	"context"
	"strings"
	"testing"

	"github.com/rabbitmq/amqp091-go"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/amqp"
)

// BenchmarkRead reads a queue that is full: as the event forwarder does, who
// never acknowledges, with a bare consumer that acknowledges each message, and
// with the source.
func BenchmarkRead(b *testing.B) {
	consume := func(auto bool) func(*testing.B, *edr, string) {
		return func(b *testing.B, e *edr, queue string) {
			if err := e.ch.Qos(200, 0, false); err != nil {
				b.Fatal(err)
			}
			deliveries, err := e.ch.Consume(queue, "bench", auto, false, false, false, nil)
			if err != nil {
				b.Fatal(err)
			}
			for range b.N {
				d := <-deliveries
				if !auto {
					if err := d.Ack(false); err != nil {
						b.Fatal(err)
					}
				}
			}
			if err := e.ch.Cancel("bench", false); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name string
		read func(*testing.B, *edr, string)
	}{
		{"consume-only", consume(true)},
		{"consume-ack-each", consume(false)},
		{"source", func(b *testing.B, e *edr, queue string) {
			src, err := amqp.New(amqp.Config{URL: broker.URL, Queue: amqp.Queue{Name: queue}})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			n := 0
			err = src.Read(ctx, func(_ context.Context, m events.Message) error {
				m.Settle(nil)
				if n++; n == b.N {
					cancel()
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := newEDR(b, both)
			config := e.config()
			read(b, config).end() // makes the queue
			body := []byte(`{"pad":"` + strings.Repeat("x", 650) + `"}`)
			for range b.N {
				e.publish(amqp.ExchangeEvents, "ingress.event.netconn", amqp091.Publishing{ContentType: "application/json", Body: body})
			}
			b.ResetTimer()
			c.read(b, e, config.Queue.Name)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
