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
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

func (c *Console) guardsRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/guards", web.Viewer, "Guards, budgets, silences", func(r *http.Request, _ struct{}) (web.GuardsPage, error) { return c.Guards(r.Context()) }),
		web.JSON("POST", "/api/v1/stop", web.Approver, "Start nothing new, on all replicas", func(r *http.Request, in web.Reason) (web.Nothing, error) {
			return web.Nothing{}, c.Stop(r.Context(), web.UserOf(r.Context()), in.Why)
		}),
		web.JSON("POST", "/api/v1/resume", web.Approver, "Go on after a stop", func(r *http.Request, in web.Reason) (web.Nothing, error) {
			return web.Nothing{}, c.Resume(r.Context(), web.UserOf(r.Context()), in.Why)
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
		Stopped: stopped(s.Stopped), DryRun: s.DryRun != nil, File: c.GuardsFile, Guards: append([]string{}, c.Guard.Policy().Words()...),
		Budgets: []web.Budget{}, Silences: []web.Silence{},
	}
	for _, b := range s.Budgets {
		page.Budgets = append(page.Budgets, web.Budget{Name: b.Name, Used: b.Used, Limit: b.Limit, Resets: b.Frees})
	}
	for _, x := range s.Silences {
		page.Silences = append(page.Silences, web.Silence{ID: x.ID, Rule: x.Rule, Sensor: x.Sensor, Server: x.Server, Tenant: x.Tenant, Action: x.Action, Author: x.Author, Comment: x.Comment, Until: x.Expires})
	}
	return page, nil
}

// Stop starts nothing new on any replica.
func (c *Console) Stop(ctx context.Context, by web.User, why string) error {
	return c.Guard.Stop(ctx, by.Name, why)
}

// Resume ends a stop.
func (c *Console) Resume(ctx context.Context, by web.User, why string) error {
	return c.Guard.Resume(ctx, by.Name, why)
}

// Silence adds a silence.
func (c *Console) Silence(ctx context.Context, by web.User, s web.Silence) (web.Silence, error) {
	at, err := c.selected(ctx, string(s.Sensor))
	if err != nil {
		return s, err
	}
	if at.Server != "" {
		s.Sensor = looseid.ID(at.String())
	}
	if s.Server != "" && c.Fleet.Member(s.Server) == nil {
		return s, errors.Join(web.ErrBadRequest, &fleet.NoServer{Name: s.Server, Configured: c.Fleet.Names()})
	}
	if err := c.silenceNames(s); err != nil {
		return s, err
	}
	s.ID, s.Author = jobs.NewID()[:8], by.Name
	err = c.Guard.AddSilence(ctx, guard.Silence{ID: s.ID, Rule: s.Rule, Sensor: s.Sensor, Server: s.Server, Tenant: s.Tenant, Action: s.Action, Author: by.Name, Comment: s.Comment, Expires: s.Until})
	return s, err
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
	return &web.Stopped{By: s.By, Why: s.Why, At: s.At}
}
