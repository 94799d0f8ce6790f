package directory

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"edrpipe/pkg/edr"
)

// An event of an endpoint without a record does not wait for it: its facts are pending,
// and the record is read beside the events.
const (
	maxWanted   = 10_000 // endpoints; more are wanted again by their next event
	readers     = 4      // records read at once
	firstAgain  = time.Second
	longestWait = 30 * time.Second // of one record
	manyFailed  = 8                // failures in a row that are the server's, not one record's
	serverAgain = 5 * time.Second  // between readings while the server fails
)

// wanted are the endpoints whose records are to be read.
type wanted struct {
	mu     sync.Mutex
	queue  wantedQueue
	queued map[string]bool // the queue's ids, and those that are being read
	failed int             // readings in a row that have failed
	pause  time.Time       // until when nothing more is read, because of those
	came   chan struct{}   // capacity 1: there may be something to read
}

type wantedRecord struct {
	id   string
	due  time.Time
	wait time.Duration // after its last failure
}

// wantedQueue is a heap with the earliest first.
type wantedQueue []wantedRecord

func (q wantedQueue) Len() int           { return len(q) }
func (q wantedQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q wantedQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *wantedQueue) Push(x any)        { *q = append(*q, x.(wantedRecord)) }
func (q *wantedQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// want has a record read soon.
func (w *wanted) want(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queued[id] || len(w.queued) >= maxWanted {
		return
	}
	id = strings.Clone(id) // not the whole message
	w.queued[id] = true
	heap.Push(&w.queue, wantedRecord{id: id, due: time.Now()})
	w.poke()
}

func (w *wanted) poke() {
	select {
	case w.came <- struct{}{}:
	default: // it is noted already
	}
}

// next takes the record to read now; without one, the time after which to look again.
func (w *wanted) next() (r wantedRecord, in time.Duration, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return wantedRecord{}, time.Hour, false
	}
	in = max(time.Until(w.queue[0].due), time.Until(w.pause))
	if in > 0 {
		return wantedRecord{}, in, false
	}
	r = heap.Pop(&w.queue).(wantedRecord)
	if w.failed >= manyFailed {
		w.pause = time.Now().Add(serverAgain) // the others wait for how this one ends
	}
	if len(w.queue) > 0 {
		w.poke() // for another reader
	}
	return r, 0, true
}

// read notes how the reading of a record has ended. One that has failed is read again
// later; it does not keep the others from being read.
func (w *wanted) read(r wantedRecord, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		delete(w.queued, r.id)
		w.failed, w.pause = 0, time.Time{}
		w.poke()
		return
	}
	r.wait = min(2*cmp.Or(r.wait, firstAgain/2), longestWait)
	r.due = time.Now().Add(r.wait)
	heap.Push(&w.queue, r)
	if w.failed++; w.failed >= manyFailed {
		w.pause = time.Now().Add(serverAgain)
	}
	w.poke() // its time may be the next
}

// readWanted reads wanted records until ctx ends.
func (d *Directory) readWanted(ctx context.Context) {
	for ctx.Err() == nil {
		r, in, ok := d.wanted.next()
		if ok {
			d.wanted.read(r, d.readOne(ctx, r.id))
			continue
		}
		again := time.NewTimer(in)
		select {
		case <-d.wanted.came:
		case <-again.C:
		case <-ctx.Done():
		}
		again.Stop()
	}
}

// readOne reads a record unless it has been read meanwhile. That the server does not have
// it is an answer, too.
func (d *Directory) readOne(ctx context.Context, id string) error {
	if r, err := d.Lookup(id); !errors.Is(err, ErrUnread) && !r.groupUnread {
		return nil
	}
	if _, err := d.request(ctx, id); err != nil && !errors.Is(err, edr.ErrUnknownSensor) {
		return err
	}
	return nil
}

// lookup is Lookup for an event: what is not read yet will be.
func (d *Directory) lookup(id string) (Record, error) {
	r, err := d.Lookup(id)
	if errors.Is(err, ErrUnread) || r.groupUnread && d.groupAgain() {
		d.wanted.want(id)
	}
	return r, err
}

// groupAgain reports, once in a while, that records are read again for their groups.
func (d *Directory) groupAgain() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cfg.Now().Sub(d.grouped) < groupAgain {
		return false
	}
	d.grouped = d.cfg.Now()
	return true
}
