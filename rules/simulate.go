package rules

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Simulation decides about events as the service would, on a clock of its own
// and without acting: matching, correlation, maximum age and suppression. Tests,
// explanations and backtests run on it.
type Simulation struct {
	set        *Set
	clock      time.Time
	correlator Correlator
	suppressor Suppressor
	acted      map[string]bool // alerts, by rule and endpoint
}

// Verdict is what becomes of a match on one sensor.
type Verdict string

// Verdicts.
const (
	Acts       Verdict = "acts"       // there is a job
	Suppressed Verdict = "suppressed" // the rule has acted for this lately
	Refused    Verdict = "refused"    // no sensor to act on, or too old: see Match.Refused
	Repeated   Verdict = "repeated"   // another copy of an alert for which the rule has acted
	Failed     Verdict = "failed"     // an expression of the rule could not be evaluated
)

// Decision is a match, or a rule that failed on an event, and what becomes of
// it.
type Decision struct {
	Rule     *Rule
	Match    *Match       // nil where the rule failed
	Endpoint edr.Endpoint // zero where refused
	At       time.Time
	Verdict  Verdict
	Until    time.Time // of a suppression: when it ends
	Err      error     // why the rule failed
}

// NewSimulation begins at a time with nothing remembered.
func NewSimulation(set *Set, begin time.Time) *Simulation {
	s := &Simulation{set: set, clock: begin, acted: map[string]bool{}}
	now := func() time.Time { return s.clock }
	state := &MemoryState{Now: now}
	s.correlator = Correlator{State: state, Now: now}
	s.suppressor = Suppressor{State: state, Now: now}
	return s
}

// Now is the time of the simulation's clock.
func (s *Simulation) Now() time.Time { return s.clock }

// Advance moves the clock; it never goes back.
func (s *Simulation) Advance(to time.Time) {
	if to.After(s.clock) {
		s.clock = to
	}
}

// simulatedServer is the name of the server where neither event nor test names one.
const simulatedServer = "edr"

// Event decides about an event that arrives now. The service gives an event the
// configured name of its server; here the name that the event has itself stands.
func (s *Simulation) Event(ctx context.Context, e *events.Event) ([]Decision, error) {
	e.Sensor.Server = cmp.Or(e.Sensor.Server, e.Event.Server, simulatedServer)
	matches, failures := s.set.Match(e)
	matches, more, err := s.correlator.Correlate(ctx, s.set, matches)
	if err != nil {
		return nil, err
	}
	var decisions []Decision
	for _, f := range append(failures, more...) {
		decisions = append(decisions, Decision{Rule: f.Rule, At: s.clock, Verdict: Failed, Err: f})
	}
	for i := range matches {
		made, err := s.decide(ctx, &matches[i])
		if err != nil {
			return nil, err
		}
		decisions = append(decisions, made...)
	}
	return decisions, nil
}

func (s *Simulation) decide(ctx context.Context, m *Match) ([]Decision, error) {
	d := Decision{Rule: m.Rule, Match: m, At: s.clock}
	if len(m.Endpoints) == 0 {
		d.Verdict = Refused
		return []Decision{d}, nil
	}
	var all []Decision
	for _, endpoint := range m.Endpoints {
		d.Endpoint = endpoint
		job := fmt.Sprintf("%s %s %s", m.Rule.ID, m.Subject(), endpoint)
		if s.acted[job] {
			d.Verdict, d.Until = Repeated, time.Time{}
			all = append(all, d)
			continue
		}
		ask := Ask{Set: s.set, Match: m, Endpoint: endpoint, Job: job}
		answer, err := s.suppressor.Claim(ctx, ask)
		if err == nil {
			err = s.suppressor.Settled(ctx, []Ask{ask}) // no event comes again here
		}
		var failed Failure
		switch f, ok := err.(Failure); {
		case ok:
			failed = f
			all = append(all, Decision{Rule: m.Rule, Match: m, Endpoint: endpoint, At: s.clock, Verdict: Failed, Err: failed})
			continue
		case err != nil:
			return nil, err
		}
		d.Verdict, d.Until = Acts, time.Time{}
		if answer.Suppressed {
			d.Verdict, d.Until = Suppressed, answer.Until
		} else if m.Subject() != m.Event.Event.ID {
			s.acted[job] = true
		}
		all = append(all, d)
	}
	return all, nil
}
