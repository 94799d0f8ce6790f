package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"edrpipe/internal/fleet"
	"edrpipe/internal/looseid"
	"edrpipe/internal/nearest"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

func (c *Console) guardsRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/guards", web.Viewer, "Guards, budgets, silences", func(r *http.Request, _ struct{}) (web.GuardsPage, error) { return c.Guards(r.Context()) }),
		web.JSON("POST", "/api/v1/stop", web.Approver, "Start nothing new, on all replicas; on one server or those of one tenant", func(r *http.Request, in web.Switching) (web.Nothing, error) {
			return web.Nothing{}, c.Stop(r.Context(), web.UserOf(r.Context()), in)
		}),
		web.JSON("POST", "/api/v1/resume", web.Approver, "Go on after a stop of everything, of a server or of a tenant", func(r *http.Request, in web.Switching) (web.Nothing, error) {
			return web.Nothing{}, c.Resume(r.Context(), web.UserOf(r.Context()), in)
		}),
		web.JSON("POST", "/api/v1/silences", web.Approver, "Keep a rule, a sensor or an action from acting for a while", func(r *http.Request, in web.Silence) (web.Silence, error) {
			return c.Silence(r.Context(), web.UserOf(r.Context()), in)
		}),
		web.JSON("DELETE", "/api/v1/silences/{id}", web.Approver, "End a silence", func(r *http.Request, _ struct{}) (web.Nothing, error) {
			return web.Nothing{}, c.Unsilence(r.Context(), web.UserOf(r.Context()), r.PathValue("id"))
		}),
	}
}

// Guards lists what holds actions back.
func (c *Console) Guards(ctx context.Context) (web.GuardsPage, error) {
	s, err := c.Guard.Status(ctx)
	if err != nil {
		return web.GuardsPage{}, err
	}
	page := web.GuardsPage{
		Stopped: stopped(s.Stopped), DryRun: s.DryRun != nil, Stops: stops(s.Stops), DryRuns: stops(s.DryRuns), File: c.GuardsFile, Guards: append([]string{}, c.Guard.Policy().Words()...),
		Budgets: []web.Budget{}, Silences: []web.Silence{},
	}
	for _, b := range s.Budgets {
		page.Budgets = append(page.Budgets, web.Budget{Name: b.Name, Used: b.Used, Limit: b.Limit, Resets: b.Frees})
	}
	for _, x := range s.Silences {
		page.Silences = append(page.Silences, silenceOf(x))
	}
	return page, nil
}

func silenceOf(x guard.Silence) web.Silence {
	return web.Silence{ID: x.ID, Rule: x.Rule, Sensor: x.Sensor, Server: x.Server, Tenant: x.Tenant, Action: x.Action, Author: x.Author, Comment: x.Comment, Until: x.Expires}
}

// silences lists those in force that are chosen.
func (c *Console) silences(ctx context.Context, chosen func(web.Silence) bool) ([]web.Silence, error) {
	s, err := c.Guard.Status(ctx)
	if err != nil {
		return nil, err
	}
	list := []web.Silence{}
	for _, x := range s.Silences {
		if one := silenceOf(x); chosen(one) {
			list = append(list, one)
		}
	}
	return list, nil
}

// Stop starts nothing new on any replica.
func (c *Console) Stop(ctx context.Context, by web.User, in web.Switching) error {
	on, err := c.area(in)
	if err != nil {
		return err
	}
	return c.Guard.Stop(ctx, on, by.Name, in.Why)
}

// Resume ends a stop. That of a server which is not configured any more can be ended too.
func (c *Console) Resume(ctx context.Context, by web.User, in web.Switching) error {
	return notSwitched(c.Guard.Resume(ctx, guard.Area{Server: in.Server, Tenant: in.Tenant}, by.Name, in.Why))
}

// notSwitched gives the error of a switch that is not on its status.
func notSwitched(err error) error {
	if errors.Is(err, guard.ErrNoSwitch) {
		return errors.Join(web.ErrNotFound, err)
	}
	return err
}

// area is what a switch is to hold for. A name that there is not would stop nothing.
func (c *Console) area(in web.Switching) (guard.Area, error) {
	var tenants []string
	for _, m := range c.Fleet.Members() {
		tenants = append(tenants, m.Tenant)
	}
	on := guard.Area{Server: in.Server, Tenant: in.Tenant}
	if on.Server != "" && on.Tenant != "" {
		return on, errors.Join(web.ErrBadRequest, errors.New("name a server or a tenant, not both"))
	}
	return on, errors.Join(known("server", in.Server, c.Fleet.Names()), known("tenant", in.Tenant, tenants))
}

// Silence adds a silence.
func (c *Console) Silence(ctx context.Context, by web.User, s web.Silence) (web.Silence, error) {
	at, err := c.silenced(ctx, string(s.Sensor))
	if err != nil {
		return s, err
	}
	if at.Server != "" {
		s.Sensor = looseid.ID(at.String())
	}
	if s.Server != "" && c.Fleet.Member(s.Server) == nil {
		return s, errors.Join(web.ErrBadRequest, &fleet.NoServer{Name: s.Server, Configured: c.Fleet.Names()})
	}
	if _, err := c.area(web.Switching{Tenant: s.Tenant}); err != nil {
		return s, err
	}
	if err := c.silenceNames(s); err != nil {
		return s, err
	}
	s.ID, s.Author = jobs.NewID()[:8], by.Name
	err = c.Guard.AddSilence(ctx, guard.Silence{ID: s.ID, Rule: s.Rule, Sensor: s.Sensor, Server: s.Server, Tenant: s.Tenant, Action: s.Action, Author: by.Name, Comment: s.Comment, Expires: s.Until})
	return s, err
}

// silenced is the endpoint that a silence is for. One that its server does not have is
// refused; a server that does not answer keeps no silence back.
func (c *Console) silenced(ctx context.Context, text string) (edr.Endpoint, error) {
	if text != "" {
		if _, err := c.Fleet.FindAmong(ctx, c.members(ctx), text); errors.Is(err, edr.ErrUnknownSensor) {
			return edr.Endpoint{}, errors.Join(web.ErrBadRequest, err)
		}
	}
	return c.selected(ctx, text)
}

// silenceNames refuses the names of rules and actions that there are not: such a silence
// would silence nothing.
func (c *Console) silenceNames(s web.Silence) error {
	var ruleNames, actionNames []string
	for _, r := range c.Rules.Live.Set().Rules() {
		ruleNames = append(ruleNames, r.ID)
	}
	for _, a := range actions.All() {
		actionNames = append(actionNames, a.Spec().Name)
	}
	return errors.Join(known("rule", s.Rule, ruleNames), known("action", s.Action, actionNames))
}

// known refuses a name that is not among those that there are; an empty one names
// nothing.
func known(what, name string, names []string) error {
	if name == "" || slices.Contains(names, name) {
		return nil
	}
	text := fmt.Sprintf("there is no %s %q", what, name)
	if near := nearest.Word(name, names); near != "" {
		text += fmt.Sprintf(": did you mean %q?", near)
	}
	return errors.Join(web.ErrBadRequest, errors.New(text))
}

// Unsilence ends a silence.
func (c *Console) Unsilence(ctx context.Context, by web.User, id string) error {
	err := c.Guard.RemoveSilence(ctx, id, by.Name)
	if errors.Is(err, guard.ErrNoSilence) {
		return errors.Join(web.ErrNotFound, err)
	}
	return err
}

func stopped(s *guard.Switch) *web.Stopped {
	if s == nil {
		return nil
	}
	return &web.Stopped{Server: s.Server, Tenant: s.Tenant, By: s.By, Why: s.Why, At: s.At}
}

func stops(all []guard.Switch) []web.Stopped {
	var list []web.Stopped
	for i := range all {
		list = append(list, *stopped(&all[i]))
	}
	return list
}
