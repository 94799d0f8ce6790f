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
	Switches
	Silences []Silence `json:"silences,omitempty"`
	// Serial orders the records that there were: an older one that is put back has a lower
	// one. Records of versions before have none.
	Serial int64 `json:"serial,omitempty"`
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
		if g.now().Before(s.Expires) && s.covers(a) && g.ofTenant(ctx, s.Tenant, a) {
			return admission.Verdict{Decision: admission.Deny, Reason: Silenced, Guard: s.ID, Detail: fmt.Sprintf("%s, by %s until %s", s.Comment, s.Author, s.Expires.Format(time.RFC3339))}
		}
	}
	return admission.Verdict{}
}

// ofTenant reports whether the step's endpoint is of a tenant; "" is all. A tenant that
// is not known may be the one.
func (g *Guard) ofTenant(ctx context.Context, tenant string, a admission.Request) bool {
	if tenant == "" {
		return true
	}
	f := g.factsOf(ctx, a)
	return f.Tenant == tenant || f.Unknown()&events.FactTenant != 0
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

// change writes the control record and reports the change. Where the record is gone or an
// older one was put back, nothing but a resume of everything ends the stop that this is.
func (g *Guard) change(ctx context.Context, what Change, edit func(*control, time.Time) error) error {
	what.At = g.now().UTC()
	var refused error
	var written int64
	err := replace(ctx, g.store, controlKey, func(c *control, revision uint64) bool {
		lost := g.mark.judge(*c, revision)
		if lost == nil && revision > 0 {
			g.mark.note(g.log, c.Serial, revision)
		}
		if refused = edit(c, what.At); refused != nil {
			return false
		}
		if lost != nil && c.Stop == nil && (what.What != "resume" || what.On != "") {
			c.Stop = quarantined(lost)
		}
		c.Serial = g.mark.next(c.Serial, what.At.UnixMicro())
		written = c.Serial
		return true
	})
	if err = errors.Join(err, refused); err != nil {
		return err
	}
	g.mark.note(g.log, written, 0)
	g.record(ctx, what)
	return nil
}

// control reads what people switched. A record that was removed, or replaced by an older
// one, does not mean that nothing is switched on: the error is seal.ErrForeign until a
// person resumes everything.
func (g *Guard) control(ctx context.Context) (control, error) {
	c, revision, err := read[control](ctx, g.store, controlKey)
	if errors.Is(err, seal.ErrForeign) { // whether it held a stop is not known, also once it is dropped
		g.mark.note(g.log, 0, 0)
	}
	if err != nil {
		return c, err
	}
	if err := g.mark.judge(c, revision); err != nil {
		if r, ok := g.store.(refuser); ok && revision > 0 && errors.Is(err, seal.ErrForeign) {
			err = r.Refuse(controlKey, revision, err)
		}
		return control{}, fmt.Errorf("guard state %s: %w", controlKey, err)
	}
	if revision > 0 {
		g.mark.note(g.log, c.Serial, revision)
	}
	return c, nil
}

// inForce returns the silences that have not ended.
func inForce(all []Silence, now time.Time) []Silence {
	return slices.DeleteFunc(slices.Clone(all), func(s Silence) bool { return !now.Before(s.Expires) })
}

// Status is what people see of the guard.
type Status struct {
	Stopped  *Switch   `json:"stopped,omitempty"`
	DryRun   *Switch   `json:"dry_run,omitempty"`
	Stops    []Switch  `json:"stops,omitempty"` // of servers and tenants
	DryRuns  []Switch  `json:"dry_runs,omitempty"`
	Silences []Silence `json:"silences"`
	Budgets  []Spent   `json:"budgets"`
}

// Status reads the switches, the silences in force, and what is left of budgets.
func (g *Guard) Status(ctx context.Context) (Status, error) {
	c, err := g.control(ctx)
	if errors.Is(err, seal.ErrForeign) {
		c, err = control{Switches: Switches{Stop: quarantined(err)}}, nil
	}
	if err != nil {
		return Status{}, err
	}
	p := g.policy.Load()
	s := Status{Stopped: c.Stop, DryRun: c.DryRun, Stops: c.Stops, DryRuns: c.DryRuns, Silences: []Silence{}, Budgets: []Spent{}}
	if p.DryRun && s.DryRun == nil {
		s.DryRun = &Switch{By: "guards file"}
	}
	s.Silences = append(s.Silences, inForce(c.Silences, g.now())...)
	for _, l := range p.Budgets {
		spent, err := g.spent(ctx, l)
		if err != nil {
			return Status{}, err
		}
		s.Budgets = append(s.Budgets, spent)
	}
	return s, nil
}
