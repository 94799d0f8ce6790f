package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/seal"
)

// Area is what a switch holds for: one server, the servers of one tenant, or everything.
type Area struct {
	Server string `json:"server,omitempty"`
	Tenant string `json:"tenant,omitempty"`
}

// String names the area in messages.
func (a Area) String() string {
	switch {
	case a.Server != "":
		return "server " + a.Server
	case a.Tenant != "":
		return "tenant " + a.Tenant
	}
	return "everything"
}

// Switch is something that a person switched on.
type Switch struct {
	Area
	By  string    `json:"by"`
	Why string    `json:"why,omitempty"`
	At  time.Time `json:"at"`
}

func (s *Switch) err() error {
	return fmt.Errorf("%w: %s by %s: %s", ErrStopped, s.Area, s.By, s.Why)
}

// detail is the reason of who switched, with the area where that is not everything.
func (s *Switch) detail() string {
	if s.Area == (Area{}) {
		return s.Why
	}
	return s.Area.String() + ": " + s.Why
}

// Switches are what people switched: for everything, and for single servers and tenants.
type Switches struct {
	Stop    *Switch  `json:"stop,omitempty"`
	DryRun  *Switch  `json:"dry_run,omitempty"`
	Stops   []Switch `json:"stops,omitempty"`
	DryRuns []Switch `json:"dry_runs,omitempty"`
}

// ErrNoSwitch: it was not switched on for that server or tenant.
var ErrNoSwitch = errors.New("is not switched on")

// Stop stops all acting in an area on all replicas, until Resume of the same area. It
// returns when it is durable.
func (g *Guard) Stop(ctx context.Context, on Area, by, why string) error {
	return g.change(ctx, Change{What: "stop", By: by, Why: why, On: on.about()}, func(c *control, now time.Time) error {
		return flip(&c.Stop, &c.Stops, Switch{on, by, why, now}, true)
	})
}

// Resume ends a Stop of the same area; others stay.
func (g *Guard) Resume(ctx context.Context, on Area, by, why string) error {
	return g.change(ctx, Change{What: "resume", By: by, Why: why, On: on.about()}, func(c *control, now time.Time) error {
		return flip(&c.Stop, &c.Stops, Switch{on, by, why, now}, false)
	})
}

// SetDryRun switches all acting in an area to recording only, or back. A dry run in the
// guards file stays in force.
func (g *Guard) SetDryRun(ctx context.Context, on Area, dry bool, by, why string) error {
	what := "act"
	if dry {
		what = "dry_run"
	}
	return g.change(ctx, Change{What: what, By: by, Why: why, On: on.about()}, func(c *control, now time.Time) error {
		return flip(&c.DryRun, &c.DryRuns, Switch{on, by, why, now}, dry)
	})
}

// about is the area in records; that of everything has none.
func (a Area) about() string {
	if a == (Area{}) {
		return ""
	}
	return a.String()
}

// flip switches s on or off. One that is on already stays that of who was first.
func flip(all **Switch, parts *[]Switch, s Switch, on bool) error {
	if s.Server != "" && s.Tenant != "" {
		return errors.New("name a server or a tenant, not both")
	}
	if s.Area == (Area{}) {
		switch {
		case !on:
			*all = nil
		case *all == nil:
			*all = &s
		}
		return nil
	}
	at := slices.IndexFunc(*parts, func(x Switch) bool { return x.Area == s.Area })
	switch {
	case on && at < 0:
		*parts = append(*parts, s)
	case !on && at < 0:
		return fmt.Errorf("%s: %w", s.Area, ErrNoSwitch)
	case !on:
		*parts = slices.Delete(*parts, at, at+1)
	}
	return nil
}

// switched is the switch that holds for the step's endpoint, or nil.
func (g *Guard) switched(ctx context.Context, all *Switch, parts []Switch, a admission.Request) *Switch {
	if all != nil {
		return all
	}
	for i, s := range parts {
		if (s.Server == "" || s.Server == a.Endpoint.Server) && g.ofTenant(ctx, s.Tenant, a) {
			return &parts[i]
		}
	}
	return nil
}

// observed is what Watch saw last.
type observed struct {
	control
	at time.Time // by our own clock: it is asked how long ago that was
}

// Times of watching: a stop is seen by every replica within a second, and a
// replica that cannot see stops by itself.
const (
	watchEvery = 250 * time.Millisecond
	watchStale = 5 * time.Second
)

// Watch keeps the answer of Stopped fresh until ctx ends. told, if not nil, is called
// with the answer of all for everything after each change of a switch.
func (g *Guard) Watch(ctx context.Context, told func(stopped error)) error {
	if told == nil {
		told = func(error) {}
	}
	last := "nothing yet"
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		look, cancel := context.WithTimeout(ctx, watchStale)
		c, err := g.control(look)
		cancel()
		if errors.Is(err, seal.ErrForeign) { // it is not known whether somebody stopped
			c, err = control{Switches: Switches{Stop: quarantined(err)}}, nil
		}
		if err == nil {
			g.seen.Store(&observed{c, time.Now()})
		} else if ctx.Err() == nil {
			g.log.Warn().Err(err).Msg("stop switch cannot be read")
		}
		stopped, parts := g.Stopped(Area{}), []Switch(nil)
		if o, err := g.Seen(); err == nil {
			parts = o.Stops
		}
		if now := fmt.Sprint(stopped, parts); now != last {
			told(stopped)
			last = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Stopped tells, without asking the store, whether nothing new may leave to a server with
// its tenant: after Stop of these or of everything, and when Watch has not seen the
// switches for five seconds. The zero Area is what is stopped only with everything.
func (g *Guard) Stopped(on Area) error {
	o, err := g.Seen()
	if err != nil {
		return err
	}
	if o.Stop != nil {
		return o.Stop.err()
	}
	for _, s := range o.Stops {
		if s.Server != "" && s.Server == on.Server || s.Tenant != "" && s.Tenant == on.Tenant {
			return s.err()
		}
	}
	return nil
}

// Seen is what people switched, as Watch saw it last.
type Seen struct {
	Switches
	Silences []Silence // that have not ended
}

// Seen returns the switches and silences without asking the store, or an error when Watch has not
// seen them for five seconds.
func (g *Guard) Seen() (Seen, error) {
	o := g.seen.Load()
	if o == nil || time.Since(o.at) > watchStale {
		return Seen{}, fmt.Errorf("stop switch was not read lately: %w", ErrStopped)
	}
	return Seen{o.Switches, inForce(o.Silences, g.now())}, nil
}
