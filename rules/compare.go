package rules

import (
	"context"
	"fmt"
	"slices"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Comparison is how two sets of rules differ over the same events.
type Comparison struct {
	Events  int      `json:"events"`
	Added   []string `json:"added,omitempty"`   // rules
	Removed []string `json:"removed,omitempty"` // rules
	Changed []string `json:"changed,omitempty"` // rules whose digest differs
	Jobs    []Change `json:"jobs,omitempty"`    // that differ
	Same    int      `json:"same"`              // jobs that do not

	From    time.Time `json:"from,omitzero"` // time of the first event
	To      time.Time `json:"to,omitzero"`   // and of the last one
	Actions []Effect  `json:"actions,omitempty"`
	Queue   [2]Queue  `json:"queue"` // of the old version and of the new one
}

// Change is a job that only one set makes, or that the two make differently.
type Change struct {
	Rule     string       `json:"rule"`
	Endpoint edr.Endpoint `json:"endpoint"`
	Host     string       `json:"host,omitempty"`
	Event    string       `json:"event"` // id
	At       string       `json:"at"`
	Old      []string     `json:"old"` // steps; nil: no job
	New      []string     `json:"new"`
}

// Comparer replays the same events against two sets.
type Comparer struct {
	old, new   Backtest
	comparison Comparison
	jobs       map[string]*Change // of the event at hand
	order      []string
	effects    map[string]*[2]actionCount // by action, of all events
}

// NewComparer compares the rules themselves and makes ready for events.
func NewComparer(old, new *Set) *Comparer {
	c := &Comparer{effects: map[string]*[2]actionCount{}}
	c.old = Backtest{Set: old, Job: func(d Decision, planned []Planned) {
		if ch := c.change(d); ch != nil {
			ch.Old = described(planned)
			c.count(0, planned)
		}
	}}
	c.new = Backtest{Set: new, Job: func(d Decision, planned []Planned) {
		if ch := c.change(d); ch != nil {
			ch.New = described(planned)
			c.count(1, planned)
		}
	}}
	c.comparison.Added, c.comparison.Removed, c.comparison.Changed = compareRules(old, new)
	return c
}

func compareRules(old, new *Set) (added, removed, changed []string) {
	for _, r := range new.Rules() {
		before, ok := old.Rule(r.ID)
		switch {
		case !ok:
			added = append(added, r.ID)
		case before.Digest != r.Digest:
			changed = append(changed, r.ID)
		}
	}
	for _, r := range old.Rules() {
		if _, ok := new.Rule(r.ID); !ok {
			removed = append(removed, r.ID)
		}
	}
	return added, removed, changed
}

// change is the entry of a decision's job; nil when there is no job.
func (c *Comparer) change(d Decision) *Change {
	if d.Verdict != Acts {
		return nil
	}
	key := fmt.Sprintf("%s %s", d.Rule.ID, d.Endpoint)
	ch, ok := c.jobs[key]
	if !ok {
		ch = &Change{Rule: d.Rule.ID, Endpoint: d.Endpoint, Host: d.Match.Event.Sensor.Hostname, Event: d.Match.Event.Event.ID, At: d.At.UTC().Format(time.RFC3339)}
		c.jobs[key] = ch
		c.order = append(c.order, key)
	}
	return ch
}

func described(planned []Planned) []string {
	steps := []string{}
	for _, p := range planned {
		steps = append(steps, p.Ran.Describe())
	}
	return steps
}

// Event replays the next event against both sets.
func (c *Comparer) Event(ctx context.Context, e *events.Event) error {
	c.comparison.Events++
	c.jobs, c.order = map[string]*Change{}, nil
	if err := c.old.Event(ctx, e); err != nil {
		return err
	}
	if err := c.new.Event(ctx, e); err != nil {
		return err
	}
	for _, key := range c.order {
		ch := c.jobs[key]
		if (ch.Old == nil) == (ch.New == nil) && slices.Equal(ch.Old, ch.New) {
			c.comparison.Same++
			continue
		}
		c.comparison.Jobs = append(c.comparison.Jobs, *ch)
	}
	return nil
}

// Comparison is how the sets differ so far.
func (c *Comparer) Comparison() Comparison {
	all := c.comparison
	old, new := c.old.Report(), c.new.Report()
	all.From, all.To = old.From, old.To
	all.Actions = c.actions()
	all.Queue = [2]Queue{queueOf(old), queueOf(new)}
	return all
}
