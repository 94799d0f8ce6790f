package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/internal/web"
	"edrpipe/pkg/jobs"
)

func (c *Console) overviewRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/overview", web.Viewer, "The state of everything", func(r *http.Request, _ struct{}) (web.Overview, error) {
			hours, err := web.Number(r, "hours", defaultHours)
			if err != nil || hours < 1 || hours > 24 {
				return web.Overview{}, errors.Join(web.ErrBadRequest, errors.New("hours: write a number from 1 to 24"))
			}
			o, err := c.Overview(r.Context(), hours)
			if err == nil && web.UserOf(r.Context()).Limited() {
				o = c.limited(r.Context(), o)
			}
			return o, err
		}, "hours").ByTenant(),
	}
}

// defaultHours is how far back the charts go unless a query says otherwise.
const defaultHours = 6

// Overview is the first page, with charts of the last hours.
func (c *Console) Overview(ctx context.Context, hours int) (web.Overview, error) {
	st := c.Fleet.Stats()
	o := web.Overview{
		Now: c.Now(), Version: c.Version, Server: c.Fleet.Title(), Checks: c.Checks(ctx), Jobs: st.Jobs,
		Ended: c.history.ended(), Rules: c.Rules.Live.Set().Len(), EventRate: c.history.rate(), History: c.history.last(hours),
		Slots: web.Slots{Limit: st.Limit, Foreign: st.Foreign, Claims: []web.SlotClaim{}},
	}
	o.TopRules = topRules(ByLabel(c.Metrics.Matches, "rule"))
	if r := c.Rules.Live.State().Rejected; r != nil {
		o.RulesError = r.Problems.Error()
	}
	for sensor, claim := range st.Claims {
		if !claim.Slot {
			continue
		}
		line := web.SlotClaim{Server: sensor.Server, Sensor: looseid.ID(sensor.ID), Session: claim.Session, Job: claim.Job, Owner: claim.Owner}
		if info, ok := c.Fleet.Sensor(sensor); ok {
			line.Host = info.Hostname
		}
		o.Slots.Claims = append(o.Slots.Claims, line)
	}
	err := c.withPeople(ctx, &o, st)
	return o, err
}

// peopleWithin bounds the reading of what people switched and have to answer.
const peopleWithin = 5 * time.Second

// withPeople adds what people switched, and what needs them. Where it cannot be read the
// checks say what needs people, and that it cannot be read is one of the needs.
func (c *Console) withPeople(ctx context.Context, o *web.Overview, st jobs.Stats) (err error) {
	reading, cancel := context.WithTimeout(ctx, peopleWithin)
	defer cancel()
	unread := func() error {
		var err error
		if o.Approvals, err = c.questions(reading, st.Jobs[jobs.Held]); err != nil {
			return err
		}
		s, err := c.Guard.Status(reading)
		if err != nil {
			return err
		}
		o.Stopped, o.DryRun = stopped(s.Stopped), s.DryRun != nil
		o.Stops, o.DryRuns = stops(s.Stops), stops(s.DryRuns)
		return nil
	}()
	o.Needs, err = c.Needs(reading, *o)
	if unread == nil {
		unread = err
	}
	if unread != nil && ctx.Err() == nil {
		o.Needs = append(o.Needs, web.Need{Kind: "check", Link: "#/", Text: "it cannot be read now what else needs people: " + unread.Error()})
		return nil
	}
	return unread
}

// questions counts the open questions to people: jobs are held for approvals, but also
// for facts that are not known and hosts with another name. A long list of held jobs
// counts as one question each, without reading all of them.
func (c *Console) questions(ctx context.Context, held int) (n int, err error) {
	if held == 0 || held > web.MaxList {
		return held, nil
	}
	list, err := c.Fleet.List(ctx, jobs.Query{States: []jobs.State{jobs.Held}})
	for _, j := range list {
		n += len(line(j).Asks)
	}
	return n, err
}

// topRules are the ten rules that match most.
func topRules(matches map[string]float64) []web.RuleCount {
	top := []web.RuleCount{}
	for rule, n := range matches {
		top = append(top, web.RuleCount{Rule: rule, Matches: n})
	}
	slices.SortFunc(top, func(a, b web.RuleCount) int {
		return cmp.Or(cmp.Compare(b.Matches, a.Matches), cmp.Compare(a.Rule, b.Rule))
	})
	return top[:min(10, len(top))]
}
