package service

import (
	"context"
	"fmt"
	"sync"
	"time"

	"edrpipe/internal/natsd"
)

// room tells whether the disk of the embedded bus has room for new events. The
// zero value has.
type room struct {
	mu   sync.Mutex
	none error         // why there is none; nil: there is
	back chan struct{} // closed when there is room again
}

// err says why there is no room; nil: there is.
func (r *room) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.none
}

// wait returns when there is room, or with an error when ctx ends.
func (r *room) wait(ctx context.Context) error {
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

// set says that there is room, or why not; changed tells whether that is news.
func (r *room) set(none error) (changed bool) {
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
// something else has filled the disk: a stream that met one takes nothing until
// its server is restarted.
func (s *Service) watchDisk(ctx context.Context) {
	if s.embedded == nil {
		return
	}
	s.metrics.DiskFloor.Set(float64(s.cfg.Bus.Floor))
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	var restarted time.Time
	for {
		free, err := s.embedded.Free()
		if err != nil {
			s.log.Warn().Err(err).Msg("the disk of the bus is not watched")
			return
		}
		s.metrics.DiskFree.Set(float64(free))
		if s.lookAtDisk(ctx, free) && time.Since(restarted) > restartEvery {
			s.log.Warn().Uint64("free", free).Msg("the disk has room and the bus stores nothing: the embedded bus is restarted")
			if err := s.embedded.Restart(); err != nil {
				s.log.Error().Err(err).Msg("restart of the embedded bus; tried again")
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

// lookAtDisk takes or refuses new events by what the disk has left, and tells
// whether the bus has to be restarted to store again. What it had acknowledged is
// on the disk.
func (s *Service) lookAtDisk(ctx context.Context, free uint64) (restart bool) {
	floor := uint64(s.cfg.Bus.Floor)
	switch {
	case free < floor:
		s.hold(fmt.Errorf("the disk of %s has %d MiB left, bus.floor is %d MiB: no new event is taken and nothing is lost, jobs under way go on; make room, then it goes on by itself", s.cfg.Data, free>>20, floor>>20))
	case s.embedded.Broken():
		s.hold(fmt.Errorf("the bus met an error of the disk of %s, %d MiB are left: no new event is taken; the bus is restarted by itself when there is room", s.cfg.Data, free>>20))
		return free >= natsd.LeastFree
	case s.room.err() == nil:
	case s.probe.write(ctx, s.bus, s.owner) != nil:
		return true
	default:
		s.room.set(nil)
		s.metrics.Held.Set(0)
		s.log.Info().Uint64("free", free).Msg("the disk has room: events are taken again")
	}
	return false
}

// hold takes no new events; the room that is left is for what was accepted.
func (s *Service) hold(why error) {
	s.metrics.Held.Set(1)
	if s.room.set(why) {
		s.log.Error().Err(why).Msg("no new event is taken")
	}
}
