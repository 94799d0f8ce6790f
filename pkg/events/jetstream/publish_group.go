package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/bus/grouped"
)

// carried is a message on its way.
type carried struct {
	msg    *nats.Msg
	by     time.Time // when the stream must have confirmed it
	settle func(error)
}

// groupBytes bounds the messages that are written together, unless one alone is larger.
const groupBytes = 4 << 20

// write writes and settles messages in the order in which they were carried: each time
// all that have come meanwhile.
func (p *Publisher) write() {
	for m := range p.queue {
		group, size := []carried{m}, m.msg.Size()
		for more := true; more && len(group) < grouped.Most && size < groupBytes; {
			select {
			case next, ok := <-p.queue:
				if more = ok; ok {
					group, size = append(group, next), size+next.msg.Size()
				}
			default:
				more = false
			}
		}
		if !p.together(group) {
			p.oneByOne(group)
		}
	}
}

// together writes a group as one batch, if that is the quicker way, and reports whether
// the group is settled.
func (p *Publisher) together(group []carried) bool {
	if !p.costs.Together(len(group)) {
		return false
	}
	msgs, seen := make([]*nats.Msg, 0, len(group)), map[string]bool{}
	for _, m := range group {
		id := m.msg.Header.Get(natsjs.MsgIDHeader)
		if id != "" && seen[id] {
			continue // the stream would refuse all of them; the first is stored for both
		}
		seen[id] = true
		msgs = append(msgs, m.msg)
	}
	ctx, cancel := context.WithDeadline(context.Background(), group[0].by) // the sources wait for the group to be settled
	defer cancel()
	begun := time.Now()
	_, err := grouped.Batch(ctx, p.c.JetStream, msgs)
	var refused *natsjs.APIError
	if errors.As(err, &refused) {
		return false // none is stored: one has been before, or cannot be. Each gets its own answer.
	}
	if err == nil {
		p.costs.Batch(time.Since(begun))
		p.stats.duplicates.Add(int64(len(group) - len(msgs)))
	}
	for _, m := range group {
		p.end(m, err)
	}
	return true
}

// oneByOne writes messages without waiting in between.
func (p *Publisher) oneByOne(group []carried) {
	begun := time.Now()
	acks, errs := make([]natsjs.PubAckFuture, len(group)), make([]error, len(group))
	for i, m := range group {
		acks[i], errs[i] = p.c.JetStream.PublishMsgAsync(m.msg)
	}
	timer := time.NewTimer(p.c.Timeout)
	defer timer.Stop()
	failed := false
	for i, m := range group {
		if errs[i] == nil {
			timer.Reset(time.Until(m.by))
			errs[i] = p.confirmed(acks[i], timer.C)
		}
		failed = failed || errs[i] != nil
		p.end(m, errs[i])
	}
	if !failed {
		p.costs.Singles(len(group), time.Since(begun))
	}
}

// confirmed waits until the stream has a message, or late says that it is too late.
func (p *Publisher) confirmed(f natsjs.PubAckFuture, late <-chan time.Time) error {
	select {
	case ack := <-f.Ok():
		return p.stored(ack)
	case err := <-f.Err():
		return err
	case <-late:
	}
	select {
	case ack := <-f.Ok(): // while one before it was waited for
		return p.stored(ack)
	default:
		return fmt.Errorf("the stream did not confirm in %v: %w", p.c.Timeout, nats.ErrTimeout)
	}
}

func (p *Publisher) stored(ack *natsjs.PubAck) error {
	if ack.Duplicate {
		p.stats.duplicates.Add(1)
	}
	return nil
}

// end settles a message.
func (p *Publisher) end(m carried, err error) {
	p.c.Ended(err)
	if err != nil {
		p.stats.failed.Add(1)
		err = fmt.Errorf("publish on %s: %w", m.msg.Subject, err)
	} else {
		p.stats.published.Add(1)
	}
	m.settle(err)
}
