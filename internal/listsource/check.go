package listsource

import (
	"fmt"
	"time"
)

// State is how a source is.
type State struct {
	Evidence string
	Failing  bool      // the latest request failed, or the list has aged out of force
	Since    time.Time // when requests began to fail
	Cure     string
}

// State tells whether the list is that of its server.
func (s *Source) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.c.Now()
	st := State{Evidence: s.c.Name + ": " + s.inForce(now)}
	if s.failing != nil {
		st.Failing, st.Since, st.Cure = true, s.since, cureOf(s.failing)
		st.Evidence += fmt.Sprintf("; not renewed: %v", s.failing)
	}
	return st
}

// inForce says what is in force. The caller holds the lock.
func (s *Source) inForce(now time.Time) string {
	switch {
	case s.have.Confirmed.IsZero():
		return "nothing was fetched yet"
	case s.stale(now):
		return fmt.Sprintf("no entry is in force: the server confirmed the list last at %s, and max_age is %s", s.have.Confirmed.UTC().Format(time.DateTime), s.c.MaxAge)
	}
	text := fmt.Sprintf("%d entries from elsewhere, confirmed %s", len(valid(s.have.Entries, now)), s.have.Confirmed.UTC().Format(time.DateTime))
	if s.have.Left > 0 {
		text += fmt.Sprintf(", %d left out (%s)", s.have.Left, s.have.First)
	}
	return text
}
