package jobs

import (
	"context"
	"strconv"
	"sync"
	"time"

	"edrpipe/internal/pace"
)

// pressure is the server's back-pressure: sessions of other clients, and a pause of all
// sensors after a refusal, doubling with each further refusal.
type backpressure struct {
	mu       sync.Mutex
	foreign  int       // sessions of other clients when last counted
	highest  int64     // session id seen
	refusals int       // in a row
	until    time.Time // no session is requested before
	why      string
	limit    bool // the latest refusal was for the session limit
	freed    int  // slots given up since
}

const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// sessionNumber is a session id as a number; one that is none comes before all.
func sessionNumber(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

func numbered(id string) bool { return sessionNumber(id) != 0 }

// refused notes that the server did not give a session; limit tells that it has as
// many as it takes.
func (p *backpressure) refused(now time.Time, why string, limit bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until.After(now) {
		return // requested before the first refusal was known: counted already
	}
	p.until, p.why = now.Add(pace.Backoff(firstPause, p.refusals, longestPause)), why
	p.refusals++
	p.limit, p.freed = limit, 0
}

// failing reports whether the server gives no session for a reason that a slot more
// would not change.
func (p *backpressure) failing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusals > 0 && !p.limit
}

// limited reports whether the server has as many sessions as it takes, and how many of
// ours were given up since it said so.
func (p *backpressure) limited() (freed int, limited bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.freed, p.refusals > 0 && p.limit
}

// free notes that a slot was given up.
func (p *backpressure) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.freed++
}

// granted notes that the server gave a session.
func (p *backpressure) granted(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusals, p.until, p.why = 0, time.Time{}, ""
	p.highest = max(p.highest, sessionNumber(id))
}

// freeSlots is how many sessions we may ask for now. Within a pause none; after
// it a single one tries whether the server gives sessions again. until is the end
// of a pause. s.mu is held.
func (s *slots) freeSlots(now time.Time) (free int, until time.Time) {
	held := s.claims.slots()
	s.backpressure.mu.Lock()
	defer s.backpressure.mu.Unlock()
	if s.backpressure.until.After(now) {
		return 0, s.backpressure.until
	}
	free = s.cfg.Sessions - s.backpressure.foreign - held - s.promised
	if s.backpressure.refusals > 0 {
		free = min(free, 1-s.promised)
	}
	return free, time.Time{}
}

// limit is how many slots all replicas may hold.
func (s *slots) limit() int {
	s.backpressure.mu.Lock()
	defer s.backpressure.mu.Unlock()
	return s.cfg.Sessions - s.backpressure.foreign
}

// The time between looks at the server's sessions: while jobs wait for one, and while
// we only keep some that other clients may want.
const (
	countEvery     = 10 * time.Second
	countKeptEvery = 30 * time.Second
)

// count looks at how many sessions other clients hold while that matters.
func (s *slots) count(ctx context.Context) {
	var last time.Time
	for {
		if every := s.countInterval(); every > 0 && time.Since(last) >= every {
			s.countOnce(ctx)
			last = time.Now()
		}
		if pace.Sleep(ctx, countEvery) != nil {
			return
		}
	}
}

// countInterval is the time between counts; 0: no decision depends on them.
func (s *slots) countInterval() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.queue.SessionsWanted(s.cfg.Now()):
		return countEvery
	case s.claims.slots() > 0:
		return countKeptEvery
	}
	return 0
}

// countOnce counts sessions that no replica's claim names, neither before nor
// after the list was made: ours come and go meanwhile.
func (s *slots) countOnce(ctx context.Context) {
	before := s.claims.sessions()
	sessions, err := s.cfg.Server.Sessions(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("listing sessions")
		}
		return
	}
	after := s.claims.sessions()
	foreign, highest := 0, int64(0)
	for _, info := range sessions {
		highest = max(highest, sessionNumber(info.ID))
		if !before.has(info) && !after.has(info) {
			foreign++
		}
	}
	s.backpressure.mu.Lock()
	s.backpressure.foreign = foreign
	s.backpressure.highest = max(s.backpressure.highest, highest)
	s.backpressure.mu.Unlock()
	s.poke()
}
