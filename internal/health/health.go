// Package health holds the words for whether something works: the checks that the
// readiness call, pipeline health, the dashboard, metrics and alerts show.
package health

import (
	"fmt"
	"sync"
	"time"
)

// State is how a checked thing is.
type State string

// States of a check.
const (
	OK       State = "ok"
	Degraded State = "degraded" // it works, and less than it should
	Failed   State = "failed"
	Unknown  State = "unknown" // it cannot be told now; never taken for ok
)

// States lists all states.
func States() []State { return []State{OK, Degraded, Failed, Unknown} }

// Check is the state of one thing that has to work.
type Check struct {
	Name     string    `json:"name" jsonschema:"description=what is checked\\, as bus or edr/hq"`
	State    State     `json:"state" jsonschema:"enum=ok,enum=degraded,enum=failed,enum=unknown"`
	Since    time.Time `json:"since,omitzero" jsonschema:"description=when this state began\\, as far as this replica has seen it"`
	Evidence string    `json:"evidence,omitempty" jsonschema:"description=what was observed"`
	Cure     string    `json:"cure,omitempty" jsonschema:"description=what to do"`

	// Needed checks make the service unready while they are failed or unknown.
	Needed bool `json:"needed,omitempty" jsonschema:"description=the service is not ready while this is failed or unknown"`
}

// CertificateSoon is how long before its end a certificate is worth a word.
const CertificateSoon = 30 * 24 * time.Hour

// Good returns a check that is ok. The evidence may be empty.
func Good(name, evidence string) Check { return Check{Name: name, State: OK, Evidence: evidence} }

// Bad returns a check in another state than ok, with the cure for it.
func Bad(name string, state State, cure, evidence string, args ...any) Check {
	if len(args) > 0 {
		evidence = fmt.Sprintf(evidence, args...)
	}
	return Check{Name: name, State: state, Evidence: evidence, Cure: cure}
}

// Need returns the check as one that readiness depends on.
func (c Check) Need() Check {
	c.Needed = true
	return c
}

// Ready reports whether the check lets the service be ready.
func (c Check) Ready() bool { return !c.Needed || c.State == OK || c.State == Degraded }

// Bare returns the check without what only users may read.
func (c Check) Bare() Check { return Check{Name: c.Name, State: c.State, Needed: c.Needed} }

// Ready reports whether all checks let the service be ready. No check at all is not
// ready: nothing was checked.
func Ready(all []Check) bool {
	for _, c := range all {
		if !c.Ready() {
			return false
		}
	}
	return len(all) > 0
}

// Since remembers when the state of each check began. The zero value remembers none.
type Since struct {
	mu    sync.Mutex
	began map[string]began
}

type began struct {
	state State
	at    time.Time
}

// Note sets Since of checks that have none of their own.
func (s *Since) Note(now time.Time, all []Check) []Check {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began == nil {
		s.began = map[string]began{}
	}
	for i := range all {
		c := &all[i]
		b, known := s.began[c.Name]
		if !known || b.state != c.State {
			b = began{c.State, now}
			if !c.Since.IsZero() {
				b.at = c.Since
			}
			s.began[c.Name] = b
		}
		if c.Since.IsZero() {
			c.Since = b.at
		}
	}
	return all
}
