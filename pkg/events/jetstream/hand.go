package jetstream

import (
	"sync"
	"time"

	"edrpipe/pkg/events"
)

// hand gives messages to the handler, one at a time: as they come from the
// stream, and those again that it gave back.
type hand struct {
	handle  func(events.Message) error
	failed  func(error)   // is told that handle failed: nothing more is handed over
	stopped chan struct{} // closed by stop

	one sync.Mutex // held while handle runs

	mu      sync.Mutex // guards the rest
	ended   bool
	waiting map[*delivery]*time.Timer
	retries sync.WaitGroup // those whose timer is set, or that are handed over by it
}

func newHand(handle func(events.Message) error, failed func(error)) *hand {
	return &hand{handle: handle, failed: failed, stopped: make(chan struct{}), waiting: map[*delivery]*time.Timer{}}
}

// over hands a message over, unless it is too late for that.
func (h *hand) over(d *delivery) {
	h.one.Lock()
	defer h.one.Unlock()
	h.mu.Lock()
	ended := h.ended
	h.mu.Unlock()
	if ended {
		d.leave()
		return
	}
	if err := h.handle(d.msg); err != nil {
		d.leave()
		h.end()
		h.failed(err)
	}
}

// later hands a message over again after a while.
func (h *hand) later(d *delivery, wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return // it comes again to whoever reads next
	}
	h.retries.Add(1)
	h.waiting[d] = time.AfterFunc(wait, func() {
		defer h.retries.Done()
		h.mu.Lock()
		delete(h.waiting, d)
		h.mu.Unlock()
		d.retake()
		h.over(d)
	})
}

// stop ends the handing over and waits for what is being handed over again.
func (h *hand) stop() {
	h.end()
	h.retries.Wait()
}

func (h *hand) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return
	}
	h.ended = true
	close(h.stopped)
	for _, t := range h.waiting {
		if t.Stop() {
			h.retries.Done()
		}
	}
	clear(h.waiting)
}
