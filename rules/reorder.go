package rules

import (
	"container/heap"
	"time"

	"edrpipe/pkg/events"
)

// reorderWindow is how many events are held back to put them into the order
// of their times: about 100 MB.
const reorderWindow = 20_000

// InOrder hands events on in the order of their times, as far as its window reaches:
// recordings of several sources are never in order.
type InOrder struct {
	Handle   func(*events.Event) error
	Unsorted int // events that came behind later ones
	Late     int // of them, too far behind to be handed on in their place

	held   eventHeap
	handed time.Time // the time of the event handed on last
	seen   time.Time // the latest of those that came
	count  int
}

// Event takes the next event. Its place is the time of its arrival, or else that of
// the event itself; one of unknown time keeps the place at which it came.
func (o *InOrder) Event(e *events.Event) error {
	at := replayTime(e)
	switch {
	case at.IsZero():
		at = o.seen
	case at.Before(o.seen):
		o.Unsorted++
	default:
		o.seen = at
	}
	o.count++
	heap.Push(&o.held, heldEvent{at, o.count, e})
	if len(o.held) <= reorderWindow {
		return nil
	}
	return o.next()
}

// Finish hands on the events that are still held back.
func (o *InOrder) Finish() error {
	for len(o.held) > 0 {
		if err := o.next(); err != nil {
			return err
		}
	}
	return nil
}

// next hands on the earliest event that is held.
func (o *InOrder) next() error {
	due := heap.Pop(&o.held).(heldEvent)
	if due.at.Before(o.handed) {
		o.Late++
	} else {
		o.handed = due.at
	}
	return o.Handle(due.event)
}

// replayTime is when an event is replayed; zero where no time of it is known.
func replayTime(e *events.Event) time.Time {
	if e.Event.Received.IsZero() {
		return e.Event.Time
	}
	return e.Event.Received
}

type heldEvent struct {
	at     time.Time
	number int
	event  *events.Event
}

// eventHeap has the earliest event first; of one time, that which came first.
type eventHeap []heldEvent

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].number < h[j].number
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(heldEvent)) }
func (h *eventHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = heldEvent{}
	*h = (*h)[:len(*h)-1]
	return last
}
