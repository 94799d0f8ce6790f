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

// State reports whether the list is the one of its server.
func (s *Source) State() State {
	s.mu.Lock()
	now := s.c.Now()
	have, stale, failing, since := s.have, s.stale(now), s.failing, s.since
	s.mu.Unlock()
	st := State{Evidence: s.c.Name + ": " + s.inForce(have, stale, now)}
	if failing != nil {
		st.Failing, st.Since, st.Cure = true, since, cureOf(failing)
		st.Evidence += fmt.Sprintf("; not renewed: %v", failing)
	}
	return st
}

// inForce says what is in force, which is what the list took: one of another type or
// rules with a mistake keep values out.
func (s *Source) inForce(have kept, stale bool, now time.Time) string {
	var values []string
	if !stale {
		values = valid(have.Entries, now)
	}
	inForce := s.c.Taken()
	confirmed := have.Confirmed.UTC().Format(time.DateTime)
	text := fmt.Sprintf("%d entries from elsewhere, confirmed %s", len(inForce), confirmed)
	switch missing, old := without(values, inForce), without(inForce, values); {
	case missing+old > 0:
		text = fmt.Sprintf("%d entries from elsewhere are in force, %d of them no longer in the server's list; %d that it has are not in force: the type of the list is another, or the rules have mistakes", len(inForce), old, missing)
	case have.Confirmed.IsZero():
		return "nothing was fetched yet"
	case stale:
		return fmt.Sprintf("no entry is in force: the server confirmed the list last at %s, and max_age is %s", confirmed, s.c.MaxAge)
	}
	if have.Left > 0 {
		text += fmt.Sprintf(", %d left out (%s)", have.Left, have.First)
	}
	return text
}
