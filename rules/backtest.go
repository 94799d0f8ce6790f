package rules

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Backtest replays events and tells what would have happened: matching,
// correlation and suppression as in service, chains evaluated with empty results
// of their steps, guards asked, session slots simulated. Nothing acts.
type Backtest struct {
	Set *Set
	// Admit asks the guards about a step; nil: there are none. An empty decision
	// allows. It is told the time of the simulation.
	Admit func(ctx context.Context, p Planned) (decision, reason string)
	// Slots is how many sessions the server grants; 0: 10.
	Slots int
	// SessionTime is how long a step that needs a session is taken to last; 0:
	// 30 s.
	SessionTime time.Duration
	// Job, if not nil, is told of every decision, with the steps that would run.
	Job func(d Decision, ran []Planned)

	simulation *Simulation
	report     BacktestReport
	rules      map[string]*RuleReport
	slots      []time.Time                // when each is free
	sensors    map[edr.Endpoint]time.Time // when each has finished its jobs
}

// Planned is a step that would run.
type Planned struct {
	Decision Decision
	Ran      Ran
	Action   actions.Spec
	Verdict  string // of the guards; empty: allowed
	Reason   string
}

// BacktestReport is what would have happened.
type BacktestReport struct {
	Events    int           `json:"events"`
	Unsorted  int           `json:"unsorted,omitempty"` // of them, came behind later ones; see InOrder
	Late      int           `json:"late,omitempty"`     // of those, not replayed in their place
	From      time.Time     `json:"from,omitzero"`
	To        time.Time     `json:"to,omitzero"`
	Jobs      int           `json:"jobs"`
	Sensors   int           `json:"sensors"`      // different ones with jobs
	Sessions  int           `json:"sessions"`     // jobs that need a session
	Waited    int           `json:"waited"`       // of them, had to wait for a slot or their sensor
	LongWait  time.Duration `json:"longest_wait"` // of one job, in nanoseconds
	BusySlots int           `json:"busy_slots"`   // at most, at one time
	Rules     []*RuleReport `json:"rules"`
}

// RuleReport is the part of one rule.
type RuleReport struct {
	Rule       string         `json:"rule"`
	Mode       Mode           `json:"mode"`
	Matches    int            `json:"matches"`
	Jobs       int            `json:"jobs"`
	Suppressed int            `json:"suppressed"`
	Refused    map[string]int `json:"refused,omitempty"` // by reason
	Failed     int            `json:"failed"`            // expressions that failed
	Steps      map[string]int `json:"steps,omitempty"`   // that would run, by action
	Guarded    map[string]int `json:"guarded,omitempty"` // steps that guards stop, by action: reason
	FirstError string         `json:"first_error,omitempty"`
}

// Defaults of a Backtest.
const (
	defaultSlots       = 10
	defaultSessionTime = 30 * time.Second
)

func (b *Backtest) begin(at time.Time) {
	b.simulation = NewSimulation(b.Set, at)
	b.rules, b.sensors = map[string]*RuleReport{}, map[edr.Endpoint]time.Time{}
	if b.Slots <= 0 {
		b.Slots = defaultSlots
	}
	if b.SessionTime <= 0 {
		b.SessionTime = defaultSessionTime
	}
	b.slots = make([]time.Time, b.Slots)
	b.report.From = at
	for _, r := range b.Set.rules {
		rr := &RuleReport{Rule: r.ID, Mode: r.Mode, Refused: map[string]int{}, Steps: map[string]int{}, Guarded: map[string]int{}}
		b.rules[r.ID] = rr
		b.report.Rules = append(b.report.Rules, rr)
	}
}

// Event replays the next event, at the time at which it was received. The clock never
// goes back: see InOrder.
func (b *Backtest) Event(ctx context.Context, e *events.Event) error {
	at := replayTime(e)
	if b.simulation == nil {
		b.begin(at)
	}
	e.LoadRaw()
	b.simulation.Advance(at)
	b.report.Events++
	b.report.To = b.simulation.Now()
	if !at.IsZero() && at.Before(b.report.From) {
		b.report.From = at
	}
	decisions, err := b.simulation.Event(ctx, e)
	if err != nil {
		return err
	}
	for _, d := range decisions {
		b.decision(ctx, d)
	}
	return nil
}

func (b *Backtest) decision(ctx context.Context, d Decision) {
	r := b.rules[d.Rule.ID]
	var planned []Planned
	if d.Match != nil {
		r.Matches++
	}
	switch d.Verdict {
	case Failed:
		r.Failed++
		if r.FirstError == "" {
			r.FirstError = d.Err.Error()
		}
	case Suppressed:
		r.Suppressed++
	case Refused:
		r.Refused[d.Match.Refused]++
	case Acts:
		r.Jobs++
		b.report.Jobs++
		planned = b.plan(ctx, r, d)
	}
	if b.Job != nil {
		b.Job(d, planned)
	}
}

// plan evaluates the chain of a job and asks the guards about its steps.
func (b *Backtest) plan(ctx context.Context, r *RuleReport, d Decision) []Planned {
	rule := b.Set.byID[d.Rule.ID]
	dry := newDryRun(rule, d.Match, d.Endpoint, b.report.Jobs, d.At, nil)
	verdicts := map[string][2]string{}
	if b.Admit != nil {
		dry.admit = func(ran Ran, a actions.Spec) (decision, reason string) {
			decision, reason = b.Admit(ctx, Planned{Decision: d, Ran: ran, Action: a})
			if decision != "" {
				verdicts[ran.Step] = [2]string{decision, reason}
			}
			return "", "" // noted, so that the steps behind it are seen too
		}
	}
	dry.run(ctx)
	var planned []Planned
	sessions := 0
	for _, ran := range append(dry.ran, dry.held...) {
		p := Planned{Decision: d, Ran: ran, Verdict: verdicts[ran.Step][0], Reason: verdicts[ran.Step][1]}
		if a, ok := actions.Lookup(ran.Uses); ok {
			p.Action = a.Spec()
		}
		if ran.Broken {
			r.Failed++
			r.FirstError = cmp.Or(r.FirstError, fmt.Sprintf("step %s: %s", ran.Step, ran.Error))
			planned = append(planned, p)
			continue
		}
		if p.Verdict == "" && ran.Reason != "" {
			p.Verdict, p.Reason = "hold", ran.Reason
		}
		if p.Verdict != "" {
			r.Guarded[ran.Uses+": "+p.Reason]++
		} else {
			r.Steps[ran.Uses]++
			if p.Action.Session && rule.Mode == Enforce {
				sessions++
			}
		}
		planned = append(planned, p)
	}
	if sessions > 0 {
		b.occupy(d, time.Duration(sessions)*b.SessionTime)
	}
	return planned
}

// occupy takes the slot that is free first, when the sensor has finished what
// came before.
func (b *Backtest) occupy(d Decision, lasts time.Duration) {
	b.report.Sessions++
	first := 0
	busy := 1
	for i, free := range b.slots {
		if free.Before(b.slots[first]) {
			first = i
		}
		if free.After(d.At) {
			busy++
		}
	}
	b.report.BusySlots = max(b.report.BusySlots, min(busy, len(b.slots)))
	begin := latest(d.At, b.slots[first], b.sensors[d.Endpoint])
	if wait := begin.Sub(d.At); wait > 0 {
		b.report.Waited++
		b.report.LongWait = max(b.report.LongWait, wait)
	}
	b.slots[first] = begin.Add(lasts)
	b.sensors[d.Endpoint] = begin.Add(lasts)
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}

// Report is what would have happened so far.
func (b *Backtest) Report() BacktestReport {
	r := b.report
	r.Sensors = len(b.sensors)
	return r
}

// Describe is the step with its arguments, in one line.
func (r Ran) Describe() string {
	if len(r.Args) == 0 {
		return r.String()
	}
	return r.String() + " " + strings.TrimSpace(show(r.Args))
}
