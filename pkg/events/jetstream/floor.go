package jetstream

import "sync"

// floor keeps account of what one run of a reader has taken from a stream, so
// that it knows up to which sequence everything was settled by itself. Only that
// may ever be told to the server: what was delivered, and what the handler gave
// back, is not settled.
type floor struct {
	mu      sync.Mutex // guards all
	at      uint64     // everything up to here is settled
	first   int        // number of above[0], counted from the first delivery of the run
	above   []place    // in the stream's order; the first one is unsettled
	settled int        // of those above
	held    int        // with the handler now
	idle    chan struct{}
}

// place is a delivered message's.
type place struct {
	seq  uint64
	done bool
}

// newFloor begins above what was settled before.
func newFloor(at uint64) *floor { return &floor{at: at} }

// deliver notes the stream's next message, which goes to the handler now, and
// gives it a number within the run.
func (f *floor) deliver(seq uint64) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.above = append(f.above, place{seq: seq})
	f.held++
	return f.first + len(f.above) - 1
}

// again notes that the handler has a message once more that it gave back.
func (f *floor) again() {
	f.mu.Lock()
	f.held++
	f.mu.Unlock()
}

// back notes that the handler has given a message back: it stays unsettled.
func (f *floor) back() {
	f.mu.Lock()
	f.letGo()
	f.mu.Unlock()
}

// settle notes that the handler has settled the message with that number for good.
func (f *floor) settle(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.above[n-f.first].done = true
	f.settled++
	rise := 0
	for rise < len(f.above) && f.above[rise].done {
		f.at = f.above[rise].seq
		rise++
	}
	f.above, f.first, f.settled = f.above[rise:], f.first+rise, f.settled-rise
	f.letGo()
}

// letGo: the lock is held.
func (f *floor) letGo() {
	if f.held--; f.held == 0 && f.idle != nil {
		close(f.idle)
		f.idle = nil
	}
}

// now is the sequence up to which everything is settled, and how many messages
// above it are settled or not.
func (f *floor) now() (at uint64, settled, unsettled int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at, f.settled, len(f.above) - f.settled
}

// quiet returns a channel that is closed once the handler has nothing.
func (f *floor) quiet() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.idle != nil {
		return f.idle
	}
	c := make(chan struct{})
	if f.held == 0 {
		close(c)
	} else {
		f.idle = c
	}
	return c
}
