package rules

import (
	"context"
	"maps"
	"slices"
	"time"

	"edrpipe/pkg/edr"
)

// Effect is how often each version of the rules would run an action.
type Effect struct {
	Action string  `json:"action"`
	Old    Effects `json:"old"`
	New    Effects `json:"new"`
}

// Effects are those of one action.
type Effects struct {
	Steps     int `json:"steps"`     // that would run
	Endpoints int `json:"endpoints"` // different ones on which they would
	Stopped   int `json:"stopped"`   // further steps, which the guards or a question to people would stop
}

// Queue is how long the jobs of one version would wait for a session.
type Queue struct {
	Jobs    int           `json:"jobs"`         // that would wait
	Longest time.Duration `json:"longest_wait"` // of one job, in nanoseconds
}

// Admit asks guards about the steps of the two versions, each with budgets of its own;
// nil: there are none.
func (c *Comparer) Admit(old, new func(ctx context.Context, p Planned) (decision, reason string)) {
	c.old.Admit, c.new.Admit = old, new
}

// actionCount counts an action in one version.
type actionCount struct {
	steps, stopped int
	on             map[edr.Endpoint]bool
}

// count adds the steps of a job; version is 0 for the old one, 1 for the new one. Rules
// in mode shadow run nothing.
func (c *Comparer) count(version int, planned []Planned) {
	for _, p := range planned {
		if p.Ran.Broken || p.Decision.Rule.Mode != Enforce {
			continue
		}
		both := c.effects[p.Ran.Uses]
		if both == nil {
			both = &[2]actionCount{{on: map[edr.Endpoint]bool{}}, {on: map[edr.Endpoint]bool{}}}
			c.effects[p.Ran.Uses] = both
		}
		if p.Verdict != "" {
			both[version].stopped++
			continue
		}
		both[version].steps++
		both[version].on[p.Decision.Endpoint] = true
	}
}

func (c *Comparer) actions() []Effect {
	var all []Effect
	for _, action := range slices.Sorted(maps.Keys(c.effects)) {
		both := c.effects[action]
		all = append(all, Effect{Action: action, Old: both[0].effects(), New: both[1].effects()})
	}
	return all
}

func (t actionCount) effects() Effects {
	return Effects{Steps: t.steps, Endpoints: len(t.on), Stopped: t.stopped}
}

func queueOf(r BacktestReport) Queue { return Queue{Jobs: r.Waited, Longest: r.LongWait} }
