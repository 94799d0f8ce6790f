package lines

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"edrpipe/pkg/events"
)

// desk hands lines over one at a time, keeps count of those that are unsettled
// and hands those over again that failed. Several connections share one.
type desk struct {
	Limits
	Origin
	transport string
	handle    func(context.Context, events.Message) error
	ctx       context.Context // of Read
	cancel    context.CancelCauseFunc

	turn   sync.Mutex // handle is called for one line at a time
	slots  chan struct{}
	failed chan line // never more than there are slots
	over   chan struct{}
	again  sync.WaitGroup // redeliver
}

// errClosed stops the reading because the source was closed.
var errClosed = errors.New("closed")

// line is one that has been read; settled is called once it is safe.
type line struct {
	body    []byte
	settled func()
}

func newDesk(ctx context.Context, l Limits, o Origin, transport string, handle func(context.Context, events.Message) error) *desk {
	d := &desk{Limits: l, Origin: o, transport: transport, handle: handle, slots: make(chan struct{}, l.Pending), failed: make(chan line, l.Pending), over: make(chan struct{})}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	d.again.Go(d.redeliver)
	return d
}

// deliver hands one line over, as soon as there are few enough unsettled ones.
func (d *desk) deliver(l line) error {
	select {
	case d.slots <- struct{}{}:
		return d.offer(l)
	case <-d.ctx.Done():
		return context.Cause(d.ctx)
	}
}

func (d *desk) offer(l line) error {
	m := events.Message{Body: l.body, Transport: d.transport, Server: d.Server, Received: time.Now()}
	var settled atomic.Bool // a handler that fails may have settled the line or not
	m.Settle = func(err error) {
		if settled.Swap(true) {
			return
		}
		if err != nil {
			d.Log.Debug().Err(err).Str("transport", d.transport).Msg("line is handed over again")
			d.failed <- l
			return
		}
		if l.settled != nil {
			l.settled()
		}
		<-d.slots
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	if err := d.handle(d.ctx, m); err != nil {
		d.cancel(err)
		if !settled.Swap(true) {
			<-d.slots
		}
		return err
	}
	return nil
}

// redeliver runs until the desk is closed. Once reading has been stopped it gives
// failed lines up: a file's come again, others are lost.
func (d *desk) redeliver() {
	for {
		select {
		case <-d.over:
			return
		case l := <-d.failed:
			select {
			case <-time.After(d.Retry):
				_ = d.offer(l) // an error has stopped the reading
			case <-d.ctx.Done():
				<-d.slots
			}
		}
	}
}

// close waits until every line is settled, for Drain at most once reading has
// been stopped. It returns what ended the reading: nothing if it was the context
// of Read, the handler's error, or else what the source itself ended with.
func (d *desk) close(ctx context.Context, end error) error {
	defer d.again.Wait()
	defer close(d.over)
	defer d.cancel(context.Canceled)
	if !d.settled(d.ctx.Done()) {
		late, stop := context.WithTimeout(context.WithoutCancel(ctx), d.Drain)
		defer stop()
		d.settled(late.Done())
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case d.ctx.Err() != nil && context.Cause(d.ctx) != errClosed:
		return context.Cause(d.ctx)
	}
	return end
}

// settled waits until all slots are free, unless done comes first.
func (d *desk) settled(done <-chan struct{}) bool {
	for taken := 0; ; taken++ {
		if taken == cap(d.slots) {
			return true
		}
		select {
		case d.slots <- struct{}{}:
		case <-done:
			for range taken {
				<-d.slots
			}
			return false
		}
	}
}
