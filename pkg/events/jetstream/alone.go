package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/events"
)

// A reader that knows itself alone need not acknowledge each message, which costs
// the bus more than the message does. It reads by a consumer that acknowledges
// nothing, keeps the floor itself, and now and then sets the durable consumer to
// it, which thereby is only a mark in the stream. The mark never passes a message
// that this reader has not settled, whoever else reads: at worst something is
// delivered twice. After a crash, or when the stream is shared from then on, the
// durable consumer goes on from the mark; and a consumer by which messages were
// acknowledged one by one has its own floor as the mark to begin with.
//
// Setting a consumer to a sequence takes a NATS server of version 2.14 or later.

// Reasons to share the durable consumer after all.
var (
	errShared = errors.New("another process reads by the same consumer")
	errStuck  = errors.New("a message cannot be settled, and many after it have been")
)

const (
	markEvery = 50 * time.Millisecond // what a crash repeats at most, besides what was unsettled
	lookEvery = 2 * time.Second       // for others, and for a gap at the end of what has come
)

// alone is one run of a source that reads alone.
type alone struct {
	Config
	source *Source
	floor  *floor
	marked uint64        // the durable consumer's mark; of keep and drain
	last   atomic.Uint64 // consumer sequence of the newest delivery
	hand   *hand
	spare  *delivery     // to be used again; of deliver, which one goroutine calls
	room   chan struct{} // has one entry for each unsettled message
	broken chan error
}

// consumeAlone reads until ctx ends, something breaks, or there is a reason to
// share the durable consumer.
func (s *Source) consumeAlone(ctx context.Context, handle func(context.Context, events.Message) error) (err error) {
	if _, err := s.consumer(ctx); err != nil {
		return err
	}
	mark, err := s.mark(ctx, 0)
	if err != nil {
		return err
	}
	r := &alone{Config: s.c, source: s, marked: mark, floor: newFloor(mark), room: make(chan struct{}, s.c.MaxPending), broken: make(chan error, 1)}
	r.hand = newHand(func(m events.Message) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := handle(ctx, m); err != nil {
			return handlerError{err}
		}
		return nil
	}, r.breaks)
	s.run.Store(r.floor)
	defer s.run.Store(nil)
	consumer, err := r.open(ctx)
	if err != nil {
		return err
	}
	running, err := consumer.Consume(
		r.deliver,
		natsjs.PullMaxMessagesWithBytesLimit(s.c.Pull, pullBytes),
		natsjs.ConsumeErrHandler(func(_ natsjs.ConsumeContext, err error) { r.breaks(fmt.Errorf("%w: %w", errConsumerEnded, err)) }))
	if err != nil {
		return err
	}
	lost := s.c.JetStream.Conn().StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	err = r.keep(ctx, consumer, lost)
	s.c.JetStream.Conn().RemoveStatusListener(lost)
	r.hand.stop()
	running.Stop()
	<-running.Closed()
	r.drain(consumer, !errors.Is(err, natsjs.ErrConsumerNotFound))
	return err
}

// mark sets the durable consumer to begin after seq, or, with 0, again after its
// own floor, and returns where that is.
func (s *Source) mark(ctx context.Context, seq uint64) (uint64, error) {
	asking, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var set *natsjs.ConsumerResetResponse
	var err error
	if seq == 0 {
		set, err = s.c.JetStream.ResetConsumer(asking, s.c.Stream, s.c.Durable)
	} else {
		set, err = s.c.JetStream.ResetConsumerToSequence(asking, s.c.Stream, s.c.Durable, seq+1)
	}
	if errors.Is(err, context.DeadlineExceeded) { // the consumer itself answers: is it there?
		if missing := s.look(ctx); missing != nil {
			err = missing
		}
	}
	if err != nil {
		return 0, fmt.Errorf("mark the place in the stream: %w", err)
	}
	if set.NumWaiting > 0 {
		return 0, errShared
	}
	return set.ResetSeq - 1, nil
}

// look reports an error unless the durable consumer is as this source makes it and
// nobody reads by it.
func (s *Source) look(ctx context.Context) error {
	info, err := s.inspect(ctx)
	if err != nil {
		return err
	}
	if info.NumWaiting > 0 {
		return errShared
	}
	return nil
}

// open makes the consumer to read by. It lives in memory and goes with the run.
func (r *alone) open(ctx context.Context) (natsjs.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return r.JetStream.CreateConsumer(ctx, r.Stream, natsjs.ConsumerConfig{
		Description:       "edrpipe: reads for " + r.Durable,
		AckPolicy:         natsjs.AckNonePolicy,
		DeliverPolicy:     natsjs.DeliverByStartSequencePolicy,
		OptStartSeq:       r.marked + 1,
		FilterSubjects:    r.Subjects,
		InactiveThreshold: 10 * time.Minute, // a handler may be slow
		MemoryStorage:     true,
		Replicas:          1,
	})
}

// deliver hands one message over, once there is room for another unsettled one.
func (r *alone) deliver(m natsjs.Msg) {
	at, err := positionOf(m)
	if err != nil { // not a delivery of JetStream at all
		r.Log.Warn().Err(err).Str("subject", m.Subject()).Msg("message without delivery data")
		return
	}
	if at.consumer != r.last.Load()+1 {
		r.breaks(fmt.Errorf("%w: a message was not delivered", errConsumerEnded))
		return // nor is any other one taken
	}
	if !r.enter() {
		return
	}
	r.last.Store(at.consumer)
	d := r.spare
	if r.spare = nil; d == nil {
		d = &delivery{r: r}
	}
	d.begin(r.floor.deliver(at.stream), r.decode(m))
	r.hand.over(d)
	if d.state.Load() == settled {
		r.spare = d
	}
}

// enter waits until there is room for another unsettled message; false: the run
// is over.
func (r *alone) enter() bool {
	select {
	case r.room <- struct{}{}: // nearly always
		return true
	default:
	}
	select {
	case r.room <- struct{}{}:
		return true
	case <-r.hand.stopped:
		return false
	}
}

// breaks ends the run; the first reason counts.
func (r *alone) breaks(err error) {
	select {
	case r.broken <- err:
	default:
	}
}

// keep moves the mark after the floor until ctx ends, the handler fails, or the
// run cannot go on.
func (r *alone) keep(ctx context.Context, consumer natsjs.Consumer, lost <-chan nats.Status) error {
	mark, look := time.NewTicker(markEvery), time.NewTicker(lookEvery)
	defer mark.Stop()
	defer look.Stop()
	r.source.troubled(nil)
	var before uint64 // last at the look before, if the consumer was ahead of it
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-r.broken:
			return err
		case <-lost:
			return fmt.Errorf("%w: the connection was lost", errConsumerEnded)
		case <-mark.C:
			if err := r.advance(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		case <-look.C:
			if err := r.source.look(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			r.source.troubled(nil)
			last := r.last.Load()
			if !r.behind(ctx, consumer, last) {
				before = 0
			} else if before == last+1 {
				return fmt.Errorf("%w: the newest messages were not delivered", errConsumerEnded)
			} else {
				before = last + 1
			}
		}
	}
}

// advance moves the mark to the floor. A question that the bus leaves without an
// answer is asked again with the next tick.
func (r *alone) advance(ctx context.Context) error {
	at, settled, _ := r.floor.now()
	if settled > r.MaxPending {
		return errStuck
	}
	if at == r.marked {
		return nil
	}
	_, err := r.source.mark(ctx, at)
	if err == nil || errors.Is(err, errShared) {
		r.marked = at
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) {
		r.Log.Debug().Err(err).Str("source", r.source.Name()).Msg("the mark stays where it is")
		return nil
	}
	return err
}

// behind reports whether the consumer has sent more than has come, while there was
// room for it and the handler had nothing in hand.
func (r *alone) behind(ctx context.Context, consumer natsjs.Consumer, last uint64) bool {
	if len(r.room) == cap(r.room) || !r.hand.one.TryLock() {
		return false
	}
	r.hand.one.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	info, err := consumer.Info(ctx)
	return err == nil && info.Delivered.Consumer > last
}

// drain waits for what the handler has kept, moves the mark a last time, if there
// is any, and removes the consumer.
func (r *alone) drain(consumer natsjs.Consumer, marked bool) {
	ctx, cancel := context.WithTimeout(context.Background(), r.AckWait) // work outlives the reader's context
	defer cancel()
	select {
	case <-r.floor.quiet():
	case <-ctx.Done():
	}
	ctx, cancel = context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if !marked {
		r.Log.Debug().Str("source", r.source.Name()).Msg("the consumer that was the mark is gone")
	} else if err := r.advance(ctx); err != nil && !errors.Is(err, errShared) {
		r.Log.Debug().Err(err).Str("source", r.source.Name()).Msg("the mark stays where it is")
	}
	if err := r.JetStream.DeleteConsumer(ctx, r.Stream, consumer.CachedInfo().Name); err != nil {
		r.Log.Debug().Err(err).Str("source", r.source.Name()).Msg("the consumer goes by itself")
	}
}
