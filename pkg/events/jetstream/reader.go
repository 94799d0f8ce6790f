package jetstream

import (
	"context"
	"sync/atomic"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/inflight"
)

// ackEvery is how many messages one acknowledgement stands for when the reader
// owns its consumer: acknowledging each costs more than handling them.
const ackEvery = 500

// reader is one run of a source's consumer.
type reader struct {
	Config
	unsettled *inflight.Window[natsjs.Msg]
	floor     atomic.Pointer[natsjs.Msg] // exclusive readers: everything up to here is settled, not yet acknowledged
	count     atomic.Int64               // settled since the last acknowledgement
	last      atomic.Pointer[natsjs.Msg] // shared readers: acknowledged last, for drain
	failed    chan error
	stopped   atomic.Bool
}

// deliver hands one message over. Once handle has failed nothing more is handed
// over: the messages come again to whoever reads next.
func (r *reader) deliver(ctx context.Context, m natsjs.Msg, handle func(context.Context, events.Message) error) {
	if r.stopped.Load() || ctx.Err() != nil {
		return
	}
	meta, err := m.Metadata()
	if err != nil { // not a delivery of JetStream at all
		r.Log.Warn().Err(err).Str("subject", m.Subject()).Msg("message without delivery data")
		return
	}
	msg := Decode(r.Prefix, m.Subject(), m.Headers(), m.Data())
	msg.Received = time.Now()
	if msg.Server == "" {
		msg.Server = r.Server
	}
	key := meta.Sequence.Stream
	r.unsettled.Add(key, m)
	msg.Settle = func(err error) { r.settle(key, m, meta.NumDelivered, err) }
	if err := handle(ctx, msg); err != nil {
		r.stopped.Store(true)
		select {
		case r.failed <- err:
		default:
		}
	}
}

// settle acknowledges, or asks for the message again after a while. Errors are of
// no use here: an acknowledgement that is lost makes a redelivery, which is
// normal.
func (r *reader) settle(key uint64, m natsjs.Msg, delivered uint64, err error) {
	if err != nil {
		wait := min(time.Second<<min(delivered-1, 10), r.RetryMax)
		r.Log.Debug().Err(err).Str("subject", m.Subject()).Dur("again_in", wait).Msg("event comes again")
		_ = m.NakWithDelay(wait)
		if !r.Exclusive {
			r.unsettled.Done(key)
		}
		return // an exclusive reader's floor waits for the redelivery
	}
	_, floor, moved := r.unsettled.Done(key)
	if !r.Exclusive {
		_ = m.Ack()
		r.last.Store(&m)
		return
	}
	n := r.count.Add(1)
	if moved {
		r.floor.Store(&floor)
	}
	if n >= ackEvery {
		r.ackFloor()
	}
}

// ackFloor acknowledges everything up to the floor at once.
func (r *reader) ackFloor() {
	if m := r.floor.Swap(nil); m != nil {
		r.count.Store(0)
		_ = (*m).Ack()
	}
}

// keep looks after the consumer until ctx ends, handle fails or the consumer is
// gone: it acknowledges what has been settled in quiet times and tells the server
// that slow messages are still being worked on.
func (r *reader) keep(ctx context.Context, closed <-chan struct{}) error {
	flush := time.NewTicker(100 * time.Millisecond)
	defer flush.Stop()
	alive := time.NewTicker(r.AckWait / 3)
	defer alive.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-r.failed:
			return err
		case <-closed:
			return errConsumerEnded
		case <-flush.C:
			r.ackFloor()
		case <-alive.C:
			for m, settled := range r.unsettled.Above() {
				if r.Exclusive || !settled {
					_ = m.InProgress()
				}
			}
		}
	}
}

// drain waits for what handle has kept and makes sure that the server has the
// last acknowledgement: one that is lost would make the next reader begin with
// what is done.
func (r *reader) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), r.AckWait) // work outlives the reader's context
	defer cancel()
	select {
	case <-r.unsettled.Idle():
	case <-ctx.Done():
	}
	m := r.last.Load()
	if r.Exclusive {
		m = r.floor.Swap(nil)
	}
	if m == nil {
		return
	}
	// A shared reader's message is acknowledged already: the answer to asking once
	// more only tells that what was sent before has arrived.
	nc := r.JetStream.Conn()
	if r.Exclusive {
		_ = (*m).DoubleAck(ctx)
		return
	}
	_ = nc.FlushWithContext(ctx)
}
