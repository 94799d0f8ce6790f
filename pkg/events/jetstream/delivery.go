package jetstream

import (
	"sync/atomic"

	"edrpipe/pkg/events"
)

// delivery is one message on its way through the handler. Once settled it may
// carry another: nearly all are settled before the handler returns, and would else
// be a good part of what the garbage collector has to look at.
type delivery struct {
	r     *alone
	n     int // in the floor
	msg   events.Message
	state atomic.Int64 // held + n, with the handler; or one of the others
	tries int
}

// States of a delivery.
const (
	settled   = iota // for good
	givenBack        // comes again
	held             // and from here on
)

// begin: the handler gets the message with the number n in the floor.
func (d *delivery) begin(n int, msg events.Message) {
	d.n, d.msg, d.tries = n, msg, 0
	d.msg.Settle = func(err error) { d.settle(n, err) }
	d.state.Store(int64(held + n))
}

// settle is the Settle of the message with the number n, which is no longer d's
// when it is called too often.
func (d *delivery) settle(n int, err error) {
	r, to := d.r, int64(settled)
	if err != nil {
		to = givenBack
	}
	if !d.state.CompareAndSwap(int64(held+n), to) {
		return
	}
	if err == nil { // d may be another message's by now
		r.floor.settle(n)
		<-r.room
		return
	}
	wait := pause(d.tries, r.RetryMax)
	d.tries++
	r.Log.Debug().Err(err).Str("key", d.msg.RoutingKey).Dur("again_in", wait).Msg("event comes again")
	r.hand.later(d, wait)
	r.floor.back()
}

// retake: the handler gets it once more.
func (d *delivery) retake() {
	d.state.Store(int64(held + d.n))
	d.r.floor.again()
}

// leave: the handler has neither kept nor settled it.
func (d *delivery) leave() {
	if d.state.CompareAndSwap(int64(held+d.n), givenBack) {
		d.r.floor.back()
	}
}
