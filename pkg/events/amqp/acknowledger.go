package amqp

import (
	"slices"
	"sync"
)

// acknowledger acknowledges settled messages: with one frame all up to the lowest that
// is not settled, because the broker's processor time goes with the frames. A message
// that goes back to the queue later does not hold up those after it: these are
// acknowledged one by one, as a frame for several would take it along.
type acknowledger struct {
	ack  func(tag uint64, multiple bool) error // of the channel
	done func(tag uint64)                      // is told of each tag after its frame
	wake chan struct{}                         // holds one
	end  chan struct{}
	work sync.WaitGroup

	mu   sync.Mutex
	open []delivery // neither acknowledged nor given back, by tag
}

type delivery struct {
	tag   uint64
	state deliveryState
}

type deliveryState int

const (
	unsettled deliveryState = iota
	settled
	returning
)

// start begins to acknowledge; stop ends that, after what has been settled.
func (a *acknowledger) start(ack func(tag uint64, multiple bool) error, done func(tag uint64)) {
	a.ack, a.done = ack, done
	a.wake, a.end = make(chan struct{}, 1), make(chan struct{})
	a.work.Go(func() {
		for {
			select {
			case <-a.wake:
				a.flush()
			case <-a.end:
				a.flush()
				return
			}
		}
	})
}

func (a *acknowledger) stop() {
	close(a.end)
	a.work.Wait()
}

// delivered notes a message; tags come in increasing order.
func (a *acknowledger) delivered(tag uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open = append(a.open, delivery{tag: tag})
}

// settle has a message acknowledged.
func (a *acknowledger) settle(tag uint64) {
	a.mark(tag, settled)
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// returns notes that a message goes back to the queue: no frame may take it along.
func (a *acknowledger) returns(tag uint64) { a.mark(tag, returning) }

func (a *acknowledger) mark(tag uint64, state deliveryState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i, ok := a.find(tag); ok {
		a.open[i].state = state
	}
}

// gaveBack forgets a message after the broker has been told to take it back.
func (a *acknowledger) gaveBack(tag uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i, ok := a.find(tag); ok {
		a.open = slices.Delete(a.open, i, i+1)
	}
}

func (a *acknowledger) find(tag uint64) (int, bool) {
	return slices.BinarySearchFunc(a.open, tag, func(d delivery, tag uint64) int {
		switch {
		case d.tag < tag:
			return -1
		case d.tag > tag:
			return 1
		}
		return 0
	})
}

// flush acknowledges what can be. Whether a frame reaches the broker does not matter:
// what is not acknowledged comes again.
func (a *acknowledger) flush() {
	together, alone := a.take()
	if n := len(together); n > 0 {
		_ = a.ack(together[n-1], n > 1)
	}
	for _, tag := range alone {
		_ = a.ack(tag, false)
	}
	for _, tag := range slices.Concat(together, alone) {
		a.done(tag)
	}
}

// take takes the settled messages below the lowest other one, and, where that one goes
// back to the queue, those above it.
func (a *acknowledger) take() (together, alone []uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.open) > 0 && a.open[0].state == settled {
		together = append(together, a.open[0].tag)
		a.open = a.open[1:]
	}
	if len(a.open) > 0 && a.open[0].state == returning {
		a.open = slices.DeleteFunc(a.open, func(d delivery) bool {
			if d.state == settled {
				alone = append(alone, d.tag)
			}
			return d.state == settled
		})
	}
	return together, alone
}
