package console

import (
	"context"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/notices"
	"edrpipe/internal/ordered"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

// decisions visits those that were made in the place of jobs since a time, as
// long as the bus keeps them.
func (c *Console) decisions(ctx context.Context, since time.Time, visit func(notices.Decision)) error {
	ctx, cancel := context.WithTimeout(ctx, searchFor)
	defer cancel()
	consumer, err := ordered.Consumer(ctx, c.Bus.JetStream(), bus.StreamJobs, natsjs.OrderedConsumerConfig{
		FilterSubjects: []string{notices.JobSubjects("decision")}, DeliverPolicy: natsjs.DeliverByStartTimePolicy, OptStartTime: &since,
		InactiveThreshold: 10 * time.Second,
	})
	if err != nil {
		return err
	}
	defer jetstream.End(ctx, c.Bus.JetStream(), bus.StreamJobs, consumer)
	_, err = eachMessage(ctx, consumer, func(m natsjs.Msg) bool {
		if d, err := notices.ReadDecision(m.Data()); err == nil && c.sees(ctx, d.Server) {
			visit(d)
		}
		return true
	})
	return err
}

// searchBytes bounds the messages under way to a search.
const searchBytes = 4 << 20

// eachMessage visits what there is, up to searchMost, until visit returns false
// or the time is over. It reports whether nothing was left out.
func eachMessage(ctx context.Context, consumer natsjs.Consumer, visit func(natsjs.Msg) bool) (bool, error) {
	info, err := consumer.Info(ctx)
	if err != nil {
		return false, err
	}
	messages, err := consumer.Messages(natsjs.PullMaxBytes(searchBytes))
	if err != nil {
		return false, err
	}
	defer messages.Stop()
	left := info.NumPending
	for n := 0; n < searchMost && left > 0; n++ {
		m, err := messages.Next(natsjs.NextContext(ctx))
		if ctx.Err() != nil {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if !visit(m) {
			return false, nil
		}
		meta, err := m.Metadata()
		if err != nil {
			return false, err
		}
		left = min(left-1, meta.NumPending)
	}
	return left == 0, nil
}

// Bounds of the search for an event on the bus.
const (
	searchFor  = 20 * time.Second
	searchMost = 500_000
)

// eachEvent visits the events on the bus that arrived since a time, oldest first, until
// visit returns false, within the bounds of a search. It reports whether nothing was left
// out. Events are not indexed: no rule matches most of them, and such an event shall
// cost nothing.
func (c *Console) eachEvent(ctx context.Context, since time.Time, visit func(*events.Event) bool) (bool, error) {
	from := natsjs.OrderedConsumerConfig{DeliverPolicy: natsjs.DeliverAllPolicy, InactiveThreshold: 10 * time.Second}
	if !since.IsZero() {
		from.DeliverPolicy, from.OptStartTime = natsjs.DeliverByStartTimePolicy, &since
	}
	consumer, err := ordered.Consumer(ctx, c.Bus.JetStream(), bus.StreamEvents, from)
	if err != nil {
		return false, err
	}
	defer jetstream.End(ctx, c.Bus.JetStream(), bus.StreamEvents, consumer)
	decoder := events.Decoder{}
	return eachMessage(ctx, consumer, func(m natsjs.Msg) bool {
		msg := jetstream.Decode(jetstream.Prefix, m.Subject(), m.Headers(), m.Data())
		if msg.Server == "" {
			msg.Server = c.Fleet.Sole()
		}
		for e := range decoder.Events(&msg) {
			if e != nil && !visit(e) {
				return false
			}
		}
		return true
	})
}

func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
