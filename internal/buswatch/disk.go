package buswatch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"edrpipe/internal/natsd"
)

// Disk is the gate that holds new events back while the disk of the embedded bus is
// full. The zero value is open.
type Disk struct {
	mu   sync.Mutex
	none error         // why the gate is closed; nil: it is open
	back chan struct{} // closed when the gate opens
}

// Err says why the gate is closed; nil: it is open.
func (r *Disk) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.none
}

// Wait blocks until the gate is open, or returns an error when ctx ends.
func (r *Disk) Wait(ctx context.Context) error {
	for {
		r.mu.Lock()
		none, back := r.none, r.back
		r.mu.Unlock()
		if none == nil {
			return nil
		}
		select {
		case <-back:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// set opens the gate, or closes it for a reason; changed reports whether it was the
// other way before.
func (r *Disk) set(none error) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed = (r.none == nil) != (none == nil)
	switch {
	case changed && none != nil:
		r.back = make(chan struct{})
	case changed:
		close(r.back)
	}
	r.none = none
	return changed
}

const (
	diskEvery    = time.Second      // how often the disk is looked at
	restartEvery = 15 * time.Second // how long a restarted bus has to store something
)

// watchDisk keeps the embedded bus from meeting a full disk, and mends it when
// something else has filled the disk: a stream that met one stores no writes until
// its server is restarted.
func (w *Watch) watchDisk(ctx context.Context) {
	if w.cfg.Embedded == nil {
		return
	}
	w.cfg.Metrics.DiskFloor.Set(float64(w.cfg.Floor))
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	var restarted time.Time
	for {
		free, err := w.cfg.Embedded.Free()
		if err != nil {
			w.log.Warn().Err(err).Msg("the disk of the bus is not watched")
			return
		}
		w.cfg.Metrics.DiskFree.Set(float64(free))
		if w.checkDisk(ctx, free) && time.Since(restarted) > restartEvery {
			w.log.Warn().Uint64("free", free).Msg("the disk has room and the bus stores nothing: the embedded bus is restarted")
			if err := w.cfg.Embedded.Restart(); err != nil {
				w.log.Error().Err(err).Msg("restart of the embedded bus; tried again")
			}
			restarted = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// checkDisk opens or closes the gate by what the disk has left, and reports whether
// the bus has to be restarted to store again. A restart loses nothing: what the bus
// had acknowledged is on the disk.
func (w *Watch) checkDisk(ctx context.Context, free uint64) (restart bool) {
	floor := uint64(w.cfg.Floor)
	switch {
	case free < floor:
		w.hold(fmt.Errorf("the disk of %s has %d MiB left, bus.floor is %d MiB: no new event is taken and nothing is lost, jobs under way go on; make room, then it goes on by itself", w.cfg.Data, free>>20, floor>>20))
	case w.cfg.Embedded.Broken():
		w.hold(fmt.Errorf("the bus met an error of the disk of %s, %d MiB are left: no new event is taken; the bus is restarted by itself when there is room", w.cfg.Data, free>>20))
		return free >= natsd.LeastFree
	case w.Disk.Err() == nil:
	case w.probe.write(ctx, w.cfg.Bus, w.cfg.Owner) != nil:
		return true
	default:
		w.Disk.set(nil)
		w.cfg.Metrics.Held.Set(0)
		w.log.Info().Uint64("free", free).Msg("the disk has room: events are taken again")
	}
	return false
}

// hold closes the gate; the rest of the disk is for events that were accepted.
func (w *Watch) hold(why error) {
	w.cfg.Metrics.Held.Set(1)
	if w.Disk.set(why) {
		w.log.Error().Err(why).Msg("no new event is taken")
	}
}
