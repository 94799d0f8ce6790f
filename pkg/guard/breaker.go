package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"edrpipe/pkg/seal"
)

// fuse is the record of one rule's breaker.
type fuse struct {
	Failures []entry   `json:"failures,omitempty"` // by job
	Open     *Switch   `json:"open,omitempty"`
	Until    time.Time `json:"until,omitzero"` // zero: until a person resets it
	Reset    time.Time `json:"reset,omitzero"` // when a person reset it last
}

func (f fuse) open(now time.Time) bool {
	return f.Open != nil && (f.Until.IsZero() || now.Before(f.Until))
}

func fuseKey(rule string) string { return "guard.breaker." + rule }

const defaultWindow = 10 * time.Minute

func (b Breaker) window() time.Duration {
	if b.Per == 0 {
		return defaultWindow
	}
	return b.Per
}

// Failed counts a failed job of a rule, once, and opens the rule's breaker when
// there were too many.
func (g *Guard) Failed(ctx context.Context, rule, job string) error {
	b := g.policy.Load().Breaker
	if b.Failures == 0 || rule == "" {
		return nil
	}
	opened := false
	err := update(ctx, g.store, fuseKey(rule), func(f *fuse) bool {
		now := g.now().UTC()
		opened = false
		f.Failures = slices.DeleteFunc(f.Failures, func(e entry) bool { return !now.Before(e.At.Add(b.window())) })
		if f.open(now) || slices.ContainsFunc(f.Failures, func(e entry) bool { return e.Unit == job }) {
			return false
		}
		f.Failures = append(f.Failures, entry{Unit: job, At: now})
		if len(f.Failures) >= b.Failures {
			f.trip(b, now, fmt.Sprintf("%d jobs failed within %v", len(f.Failures), b.window()))
			opened = true
		}
		return true
	})
	if err == nil && opened {
		g.opened(ctx, rule)
	}
	return openAnyway(err)
}

// openAnyway is nil if the breaker's record does not verify: the breaker counts as open,
// so a missing count has no effect.
func openAnyway(err error) error {
	if errors.Is(err, seal.ErrForeign) {
		return nil
	}
	return err
}

// Took counts a job of a rule, once in a window, and opens the rule's breaker at an
// unusual number.
func (g *Guard) Took(ctx context.Context, rule, job string) error {
	b := g.policy.Load().Breaker
	if b.Jobs == 0 || rule == "" {
		return nil
	}
	n, usual, begin := g.volume.count(rule, job, b.Jobs, b.window(), g.now())
	most := max(float64(b.Jobs), b.Usual*usual)
	if float64(n) <= most {
		return nil
	}
	opened, reset := false, false
	err := update(ctx, g.store, fuseKey(rule), func(f *fuse) bool {
		now := g.now().UTC()
		reset = f.Reset.After(begin)
		opened = !reset && !f.open(now)
		if opened {
			f.trip(b, now, fmt.Sprintf("%d jobs within %v, %.0f are allowed", n, b.window(), most))
		}
		return opened
	})
	switch {
	case err != nil:
	case reset: // by a person, perhaps on another replica: what was counted before is forgiven
		g.volume.forget(rule)
	case opened:
		g.opened(ctx, rule)
	}
	return openAnyway(err)
}

func (f *fuse) trip(b Breaker, now time.Time, why string) {
	f.Open, f.Failures, f.Until = &Switch{By: "breaker", Why: why, At: now}, nil, time.Time{}
	if b.ShadowFor > 0 {
		f.Until = now.Add(b.ShadowFor)
	}
}

func (g *Guard) opened(ctx context.Context, rule string) {
	f, _, err := read[fuse](ctx, g.store, fuseKey(rule))
	if err != nil || f.Open == nil {
		return // reset already, perhaps by another replica
	}
	g.log.Error().Str("rule", rule).Str("why", f.Open.Why).Msg("breaker opened: the rule is in shadow mode")
	g.record(ctx, Change{What: "breaker", By: "breaker", Why: f.Open.Why, On: rule, At: f.Open.At})
}

// quarantined is the switch that a record counts as which does not verify.
func quarantined(err error) *Switch { return &Switch{By: "quarantine", Why: err.Error()} }

// Open returns why a rule's breaker is open and until when; nil: it is closed. A zero
// time means until a person resets it.
func (g *Guard) Open(ctx context.Context, rule string) (*Switch, time.Time, error) {
	f, _, err := read[fuse](ctx, g.store, fuseKey(rule))
	if errors.Is(err, seal.ErrForeign) {
		return quarantined(err), time.Time{}, nil
	}
	if err != nil || !f.open(g.now()) {
		return nil, time.Time{}, err
	}
	return f.Open, f.Until, nil
}

// Opened is the open breaker of a rule.
type Opened struct {
	Rule   string
	Switch           // when and why
	Until  time.Time // zero: until a person resets it
}

// Breakers returns the open breakers of the rules.
func (g *Guard) Breakers(ctx context.Context, rules []string) ([]Opened, error) {
	var all []Opened
	for _, rule := range rules {
		open, until, err := g.Open(ctx, rule)
		if err != nil {
			return nil, err
		}
		if open != nil {
			all = append(all, Opened{rule, *open, until})
		}
	}
	return all, nil
}

// ErrClosed refuses to reset a breaker that is not open.
var ErrClosed = errors.New("the breaker is closed")

// Reset closes a rule's breaker on all replicas. What was counted until now does not
// open it again. A closed one is ErrClosed.
func (g *Guard) Reset(ctx context.Context, rule, by, why string) error {
	closed := false
	err := update(ctx, g.store, fuseKey(rule), func(f *fuse) bool {
		now := g.now().UTC()
		if closed = !f.open(now); !closed {
			*f = fuse{Reset: now}
		}
		return !closed
	})
	if err != nil {
		return err
	}
	if closed {
		return fmt.Errorf("rule %s: %w", rule, ErrClosed)
	}
	g.volume.forget(rule)
	g.record(ctx, Change{What: "reset", By: by, Why: why, On: rule, At: g.now().UTC()})
	return nil
}

// volume counts the jobs of each rule on this replica: counting them for all
// replicas would cost a write for each job, and a storm shows on every replica.
type volume struct {
	mu    sync.Mutex
	rules map[string]*rate
}

// rate is the number of jobs in the present window, and what was usual before.
type rate struct {
	begin time.Time
	n     int
	jobs  map[string]bool // the first of the window: one that comes again is not counted again
	usual float64         // moving average over past windows
}

// smoothing is the weight of a past window in what is usual.
const smoothing = 0.2

// count adds one job and returns the number in this window, the usual one, and when
// the window began. Up to the bound and a batch beyond it jobs are known by name.
func (v *volume) count(rule, job string, bound int, per time.Duration, now time.Time) (n int, usual float64, begin time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.rules[rule]
	if r == nil {
		r = &rate{begin: now}
		if v.rules == nil {
			v.rules = map[string]*rate{}
		}
		v.rules[rule] = r
	}
	for windows := 0; !now.Before(r.begin.Add(per)); windows++ {
		r.usual += smoothing * (float64(r.n) - r.usual)
		r.n, r.jobs, r.begin = 0, nil, r.begin.Add(per)
		if windows > 50 { // so long ago that nothing is left of it
			r.usual, r.begin = 0, now
		}
	}
	if r.jobs[job] {
		return r.n, r.usual, r.begin
	}
	if r.jobs == nil {
		r.jobs = map[string]bool{}
	}
	if len(r.jobs) < bound+maxUnits {
		r.jobs[job] = true
	}
	r.n++
	return r.n, r.usual, r.begin
}

func (v *volume) forget(rule string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.rules, rule)
}
