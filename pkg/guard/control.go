package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/events"
	"edrpipe/pkg/seal"
)

// controlKey is the record of what people switched.
const controlKey = "guard.control"

// ErrNoSilence: no silence has this id.
var ErrNoSilence = errors.New("there is no silence")

// maxSilences bounds the record.
const maxSilences = 1000

// control is that record.
type control struct {
	Stop     *Switch   `json:"stop,omitempty"`
	DryRun   *Switch   `json:"dry_run,omitempty"`
	Silences []Silence `json:"silences,omitempty"`
}

// Switch is something that a person switched on.
type Switch struct {
	By  string    `json:"by"`
	Why string    `json:"why,omitempty"`
	At  time.Time `json:"at"`
}

// Silence keeps a rule, a sensor or an action, or what several of them together
// name, from acting for a while.
type Silence struct {
	ID      string     `json:"id"`
	Rule    string     `json:"rule,omitempty"`
	Sensor  looseid.ID `json:"sensor,omitempty"` // an endpoint as SERVER/ID; an id alone, as old records have it, is that of every server
	Server  string     `json:"server,omitempty"`
	Tenant  string     `json:"tenant,omitempty"`
	Action  string     `json:"action,omitempty"` // name or pattern
	Author  string     `json:"author"`
	Comment string     `json:"comment"`
	Created time.Time  `json:"created"`
	Expires time.Time  `json:"expires"`
}

func (s Silence) covers(a admission.Request) bool {
	return (s.Rule == "" || s.Rule == a.Rule) && (s.Sensor == "" || string(s.Sensor) == a.Endpoint.String() || string(s.Sensor) == a.Endpoint.ID) &&
		(s.Server == "" || s.Server == a.Endpoint.Server) && (s.Action == "" || fits(s.Action, a.Action))
}

// silenced denies what a silence covers, except taking something back.
func (g *Guard) silenced(ctx context.Context, c control, a admission.Request) admission.Verdict {
	if a.Undo {
		return admission.Verdict{}
	}
	for _, s := range c.Silences {
		if g.now().Before(s.Expires) && s.covers(a) && g.ofTenant(ctx, s, a) {
			return admission.Verdict{Decision: admission.Deny, Reason: Silenced, Guard: s.ID, Detail: fmt.Sprintf("%s, by %s until %s", s.Comment, s.Author, s.Expires.Format(time.RFC3339))}
		}
	}
	return admission.Verdict{}
}

// ofTenant reports whether a silence is about the tenant of the step's endpoint. A tenant
// that is not known may be the one.
func (g *Guard) ofTenant(ctx context.Context, s Silence, a admission.Request) bool {
	if s.Tenant == "" {
		return true
	}
	f := g.factsOf(ctx, a)
	return f.Tenant == s.Tenant || f.Unknown()&events.FactTenant != 0
}

// Stop stops all acting on all replicas, until Resume. It returns when it is
// durable.
func (g *Guard) Stop(ctx context.Context, by, why string) error {
	return g.change(ctx, Change{What: "stop", By: by, Why: why}, func(c *control, now time.Time) error {
		if c.Stop == nil {
			c.Stop = &Switch{By: by, Why: why, At: now}
		}
		return nil
	})
}

// Resume ends a Stop.
func (g *Guard) Resume(ctx context.Context, by, why string) error {
	return g.change(ctx, Change{What: "resume", By: by, Why: why}, func(c *control, _ time.Time) error {
		c.Stop = nil
		return nil
	})
}

// SetDryRun switches all acting to recording only, or back. A dry run in the guards file
// stays in force.
func (g *Guard) SetDryRun(ctx context.Context, on bool, by, why string) error {
	what := "act"
	if on {
		what = "dry_run"
	}
	return g.change(ctx, Change{What: what, By: by, Why: why}, func(c *control, now time.Time) error {
		c.DryRun = nil
		if on {
			c.DryRun = &Switch{By: by, Why: why, At: now}
		}
		return nil
	})
}

// AddSilence adds a silence, which needs an author, a comment, an end and a subject. A
// silence of the same id is replaced.
func (g *Guard) AddSilence(ctx context.Context, s Silence) error {
	switch {
	case s.Rule == "" && s.Sensor == "" && s.Action == "" && s.Server == "" && s.Tenant == "":
		return errors.New("silence: say which rule, sensor, action, server or tenant; stop stops everything")
	case s.Author == "" || s.Comment == "":
		return errors.New("silence: author and comment are required")
	case !validName(s.ID):
		return fmt.Errorf("silence: %q cannot be an id: lower-case letters, digits and -", s.ID)
	case !g.now().Before(s.Expires):
		return errors.New("silence: it ends before it begins")
	}
	return g.change(ctx, Change{What: "silence", By: s.Author, Why: s.Comment, On: s.ID}, func(c *control, now time.Time) error {
		s.Created = now
		c.Silences = slices.DeleteFunc(c.Silences, func(old Silence) bool { return old.ID == s.ID || !now.Before(old.Expires) })
		if len(c.Silences) >= maxSilences {
			return fmt.Errorf("silence: there are %d already", maxSilences)
		}
		c.Silences = append(c.Silences, s)
		return nil
	})
}

// RemoveSilence ends a silence early.
func (g *Guard) RemoveSilence(ctx context.Context, id, by string) error {
	return g.change(ctx, Change{What: "unsilence", By: by, On: id}, func(c *control, _ time.Time) error {
		n := len(c.Silences)
		c.Silences = slices.DeleteFunc(c.Silences, func(s Silence) bool { return s.ID == id })
		if len(c.Silences) == n {
			return fmt.Errorf("%w %q", ErrNoSilence, id)
		}
		return nil
	})
}

// change writes the control record and reports the change.
func (g *Guard) change(ctx context.Context, what Change, edit func(*control, time.Time) error) error {
	what.At = g.now().UTC()
	var refused error
	err := update(ctx, g.store, controlKey, func(c *control) bool {
		refused = edit(c, what.At)
		return refused == nil
	})
	if err = errors.Join(err, refused); err != nil {
		return err
	}
	g.record(ctx, what)
	return nil
}

// Status is what people see of the guard.
type Status struct {
	Stopped  *Switch   `json:"stopped,omitempty"`
	DryRun   *Switch   `json:"dry_run,omitempty"`
	Silences []Silence `json:"silences"`
	Budgets  []Spent   `json:"budgets"`
}

// Status reads the switches, the silences in force, and what is left of budgets.
func (g *Guard) Status(ctx context.Context) (Status, error) {
	c, _, err := read[control](ctx, g.store, controlKey)
	if errors.Is(err, seal.ErrForeign) {
		c, err = control{Stop: quarantined(err)}, nil
	}
	if err != nil {
		return Status{}, err
	}
	p := g.policy.Load()
	s := Status{Stopped: c.Stop, DryRun: c.DryRun, Silences: []Silence{}, Budgets: []Spent{}}
	if p.DryRun && s.DryRun == nil {
		s.DryRun = &Switch{By: "guards file"}
	}
	for _, silence := range c.Silences {
		if g.now().Before(silence.Expires) {
			s.Silences = append(s.Silences, silence)
		}
	}
	for _, l := range p.Budgets {
		spent, err := g.spent(ctx, l)
		if err != nil {
			return Status{}, err
		}
		s.Budgets = append(s.Budgets, spent)
	}
	return s, nil
}

// Switches are the switches of people as Watch saw them last.
type Switches struct {
	Stop   *Switch
	DryRun *Switch
}

// observed is what Watch saw last.
type observed struct {
	Switches
	at time.Time // by our own clock: it is asked how long ago that was
}

// Times of watching: a stop is seen by every replica within a second, and a
// replica that cannot see stops by itself.
const (
	watchEvery = 250 * time.Millisecond
	watchStale = 5 * time.Second
)

// Watch keeps the answer of Stopped fresh until ctx ends. told, if not nil, is called
// with each answer that differs from the one before.
func (g *Guard) Watch(ctx context.Context, told func(stopped error)) error {
	if told == nil {
		told = func(error) {}
	}
	last := "nothing yet"
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		look, cancel := context.WithTimeout(ctx, watchStale)
		c, _, err := read[control](look, g.store, controlKey)
		cancel()
		if errors.Is(err, seal.ErrForeign) { // it is not known whether somebody stopped
			c, err = control{Stop: quarantined(err)}, nil
		}
		if err == nil {
			g.seen.Store(&observed{Switches{c.Stop, c.DryRun}, time.Now()})
		} else if ctx.Err() == nil {
			g.log.Warn().Err(err).Msg("stop switch cannot be read")
		}
		if now := g.Stopped(); fmt.Sprint(now) != last {
			told(now)
			last = fmt.Sprint(now)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Stopped tells, without asking the store, whether nothing new may leave: after
// Stop, and when Watch has not seen the switch for five seconds.
func (g *Guard) Stopped() error {
	o, err := g.Seen()
	if err != nil {
		return err
	}
	if o.Stop != nil {
		return fmt.Errorf("%w by %s: %s", ErrStopped, o.Stop.By, o.Stop.Why)
	}
	return nil
}

// Seen returns the switches without asking the store, or an error when Watch has not
// seen them for five seconds.
func (g *Guard) Seen() (Switches, error) {
	o := g.seen.Load()
	if o == nil || time.Since(o.at) > watchStale {
		return Switches{}, fmt.Errorf("stop switch was not read lately: %w", ErrStopped)
	}
	return o.Switches, nil
}
