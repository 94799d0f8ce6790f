package jetstream

import (
	"context"
	"sync/atomic"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/inflight"
)

// reader is one run of a source's consumer.
type reader struct {
	Config
	source    *Source
	unsettled *inflight.Window[natsjs.Msg]
	broken    chan error // why the run ends
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
	msg := r.decode(m)
	key := meta.Sequence.Stream
	r.unsettled.Add(key, m)
	msg.Settle = func(err error) { r.settle(key, m, meta.NumDelivered, err) }
	if err := handle(ctx, msg); err != nil {
		r.unsettled.Done(key) // nobody settles it: it comes again
		r.stopped.Store(true)
		r.breaks(handlerError{err})
	}
}

// breaks ends the run; the first reason counts.
func (r *reader) breaks(err error) {
	select {
	case r.broken <- err:
	default:
	}
}

// settle acknowledges, or asks for the message again after a while. Errors are of
// no use here: an acknowledgement that is lost makes a redelivery, which is
// normal.
func (r *reader) settle(key uint64, m natsjs.Msg, delivered uint64, err error) {
	if err == nil {
		_ = m.Ack()
	} else {
		wait := pause(int(delivered)-1, r.RetryMax)
		r.Log.Debug().Err(err).Str("subject", m.Subject()).Dur("again_in", wait).Msg("event comes again")
		_ = m.NakWithDelay(wait)
	}
	r.unsettled.Done(key)
}

// pause is the wait before a message that failed comes again.
func pause(tries int, most time.Duration) time.Duration {
	return min(time.Second<<min(tries, 10), most)
}

// keep looks after the consumer until ctx ends, handle fails or the consumer is
// gone: it tells the server that slow messages are still being worked on.
func (r *reader) keep(ctx context.Context, closed <-chan struct{}) error {
	alive, look := time.NewTicker(r.AckWait/3), time.NewTicker(lookEvery)
	defer alive.Stop()
	defer look.Stop()
	if err := r.look(ctx); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-r.broken:
			return err
		case <-look.C:
			if err := r.look(ctx); err != nil {
				return err
			}
		case <-closed:
			return errConsumerEnded
		case <-alive.C:
			for m, settled := range r.unsettled.Above() {
				if !settled {
					_ = m.InProgress()
				}
			}
		}
	}
}

// look inspects the consumer, and returns an error that only a new run mends. A bus
// that does not answer, and a pause, are reported while the run goes on.
func (r *reader) look(ctx context.Context) error {
	info, err := r.source.inspect(ctx)
	switch {
	case ctx.Err() != nil:
		return nil
	case gone(err):
		return err
	case err == nil && info.Paused:
		err = r.source.pausedError(info)
	}
	r.source.troubled(err)
	return nil
}

// drain waits for what handle has kept, and until the server has what was sent:
// an acknowledgement that is lost would make the next reader begin with what is
// done.
func (r *reader) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), r.AckWait) // work outlives the reader's context
	defer cancel()
	select {
	case <-r.unsettled.Idle():
	case <-ctx.Done():
	}
	_ = r.JetStream.Conn().FlushWithContext(ctx)
}
