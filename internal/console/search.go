package console

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/notices"
	"edrpipe/internal/web"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

// decisions visits those that were made in the place of jobs since a time, as
// long as the bus keeps them.
func (c *Console) decisions(ctx context.Context, since time.Time, visit func(notices.Decision)) error {
	ctx, cancel := context.WithTimeout(ctx, searchFor)
	defer cancel()
	consumer, err := c.Bus.JetStream().OrderedConsumer(ctx, bus.StreamJobs, natsjs.OrderedConsumerConfig{
		FilterSubjects: []string{notices.JobSubjects("decision")}, DeliverPolicy: natsjs.DeliverByStartTimePolicy, OptStartTime: &since,
		InactiveThreshold: 10 * time.Second,
	})
	if err != nil {
		return err
	}
	return eachMessage(ctx, consumer, func(m natsjs.Msg) bool {
		var n struct{ Data notices.Decision }
		if json.Unmarshal(m.Data(), &n) == nil && c.sees(ctx, n.Data.Server) {
			visit(n.Data)
		}
		return true
	})
}

// eachMessage visits what there is, up to searchMost, until visit returns false
// or the time is over.
func eachMessage(ctx context.Context, consumer natsjs.Consumer, visit func(natsjs.Msg) bool) error {
	for n := 0; n < searchMost && ctx.Err() == nil; {
		batch, err := consumer.FetchNoWait(500)
		if err != nil {
			return err
		}
		got := 0
		for m := range batch.Messages() {
			if got++; !visit(m) {
				return nil
			}
		}
		if n += got; got == 0 {
			break
		}
	}
	return nil
}

// Bounds of the search for an event on the bus.
const (
	searchFor  = 20 * time.Second
	searchMost = 500_000
)

// findEvent goes back through what is on the bus. Events are not indexed by id:
// most are wanted by no rule, and such an event shall cost nothing.
func (c *Console) findEvent(ctx context.Context, id string) (*events.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, searchFor)
	defer cancel()
	consumer, err := c.Bus.JetStream().OrderedConsumer(ctx, bus.StreamEvents, natsjs.OrderedConsumerConfig{DeliverPolicy: natsjs.DeliverAllPolicy, InactiveThreshold: 10 * time.Second})
	if err != nil {
		return nil, err
	}
	decoder := events.Decoder{}
	var found *events.Event
	err = eachMessage(ctx, consumer, func(m natsjs.Msg) bool {
		msg := jetstream.Decode(jetstream.Prefix, m.Subject(), m.Headers(), m.Data())
		if msg.Server == "" {
			msg.Server = c.Fleet.Sole()
		}
		for e := range decoder.Events(&msg) {
			if e != nil && e.Event.ID == id && c.seesEvent(ctx, e) {
				found = e
			}
		}
		return found == nil
	})
	if err != nil || found != nil {
		return found, err
	}
	return nil, fmt.Errorf("%w: %s is no job, no host of the EDR server, and no event on the bus", web.ErrNotFound, id)
}

func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
