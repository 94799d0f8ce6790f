package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"edrpipe/internal/web"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// explained is of how many of a host's last events each clause is shown that was false.
const explained = 3

// mostOfHost is how many events of a host are explained.
const mostOfHost = 50

// eventsBack is how far back events are looked for unless a query says otherwise.
const eventsBack = time.Hour

func (c *Console) eventRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/events", web.Viewer, "The last events, newest first, with what became of each", func(r *http.Request, _ struct{}) (web.EventsPage, error) {
			q, err := eventQuery(r)
			if err != nil {
				return web.EventsPage{}, err
			}
			return c.Events(r.Context(), q)
		}, "host", "process", "text", "verdict", "since", "until", "limit").ByTenant(),
		web.JSON("GET", "/api/v1/events/{id}", web.Viewer, "An event: what it was, what each rule makes of it, what came of it", func(r *http.Request, _ struct{}) (web.EventPage, error) {
			return c.Event(r.Context(), r.PathValue("id"))
		}).ByTenant(),
	}
}

func eventQuery(r *http.Request) (web.EventQuery, error) {
	v := r.URL.Query()
	q := web.EventQuery{Host: v.Get("host"), Process: v.Get("process"), Text: v.Get("text"), Verdict: v.Get("verdict")}
	if err := known("verdict", q.Verdict, []string{web.BecameJob, web.BecameNoJob, web.NoMatch, web.OtherServer, web.RuleFailed}); err != nil {
		return q, err
	}
	var err error
	if q.Limit, err = web.Limit(r, "limit"); err != nil {
		return q, err
	}
	q.Since, q.Until, err = spanOf(v)
	return q, err
}

// Events lists the last events that a query selects, as long as the bus keeps them,
// with what the rules in force say and which jobs there are.
func (c *Console) Events(ctx context.Context, q web.EventQuery) (web.EventsPage, error) {
	q.Since = startOf(q.Since, q.Until, c.Now(), eventsBack)
	page := web.EventsPage{Since: q.Since, Events: []web.EventLine{}}
	found, err := c.lastEvents(ctx, q, &page)
	if err != nil {
		return page, err
	}
	for _, e := range found {
		page.Events = append(page.Events, c.eventLine(ctx, e))
	}
	slices.Reverse(page.Events)
	return page, nil
}

// lastEvents returns the last events that the query selects, oldest first.
func (c *Console) lastEvents(ctx context.Context, q web.EventQuery, page *web.EventsPage) ([]*events.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, searchFor)
	defer cancel()
	var found []*events.Event
	whole, err := c.eachEvent(ctx, q.Since, func(e *events.Event) bool {
		page.Read++
		if picks(q, e) && c.seesEvent(ctx, e) && (q.Verdict == "" || c.eventLine(ctx, e).Kind == q.Verdict) {
			found = append(found, e)
		}
		if len(found) > 2*q.Limit {
			found = slices.Clone(found[len(found)-q.Limit:])
		}
		return true
	})
	page.Whole = whole
	return found[max(0, len(found)-q.Limit):], err
}

// picks reports whether an event fits the query.
func picks(q web.EventQuery, e *events.Event) bool {
	if at := cmp.Or(e.Event.Time, e.Event.Received); !q.Until.IsZero() && at.After(q.Until) {
		return false
	}
	has := func(text, part string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(part)) }
	if q.Host != "" && !slices.ContainsFunc(append(e.Sensor.Hostnames, e.Sensor.Hostname), func(h string) bool { return sameHost(h, q.Host) }) {
		return false
	}
	if q.Process != "" && !has(e.Process.Path+" "+e.Process.Name+" "+e.Process.CommandLine+" "+e.Process.Parent.Path, q.Process) {
		return false
	}
	return q.Text == "" || has(e.Event.ID+" "+e.Event.Type+" "+e.Sensor.Hostname+" "+eventStory(e), q.Text)
}

// sameHost reports whether two names are of one host: case, domain and what Windows
// cuts off after 15 characters do not count.
func sameHost(a, b string) bool {
	short := func(s string) string {
		s = s[strings.LastIndex(s, `\`)+1:]
		s, _, _ = strings.Cut(strings.ToLower(s), ".")
		return s
	}
	a, b = short(a), short(b)
	const netBIOS = 15
	if len(a) == netBIOS || len(b) == netBIOS {
		return a != "" && (strings.HasPrefix(a, b) && len(b) == netBIOS || strings.HasPrefix(b, a) && len(a) == netBIOS)
	}
	return a == b && a != ""
}

// eventLine is an event in a list, with what became of it.
func (c *Console) eventLine(ctx context.Context, e *events.Event) web.EventLine {
	l := web.EventLine{
		ID: e.Event.ID, Time: e.Event.Time, Received: e.Event.Received, Type: e.Event.Type, Server: e.Event.Server,
		Host: e.Sensor.Hostname, Sensors: e.Sensor.IDs, Story: eventStory(e),
	}
	l.Kind = web.BecameNoJob
	other := c.placed(ctx, e)
	l.Server = cmp.Or(e.Sensor.Server, l.Server)
	matches, failures := c.Rules.Live.Set().Match(e)
	switch {
	case other != nil:
		l.Kind, l.Verdict = web.OtherServer, "other_server: "+other.Error()
		return l
	case len(failures) > 0:
		l.Kind, l.Verdict = web.RuleFailed, fmt.Sprintf("%d rules failed on it", len(failures))
	case len(matches) == 0:
		l.Kind, l.Verdict = web.NoMatch, "no rule matched"
	}
	for _, m := range matches {
		l.Rules = append(l.Rules, m.Rule.ID)
	}
	if len(matches) > 0 {
		l.Jobs = c.jobsOf(ctx, e, matches)
		if len(l.Jobs) > 0 {
			l.Kind = web.BecameJob
		}
		l.Verdict = verdictOf(l)
	}
	return l
}

func verdictOf(l web.EventLine) string {
	if len(l.Jobs) == 0 {
		return "matched " + strings.Join(l.Rules, ", ") + ", and there is no job: why says which decision was taken"
	}
	texts := make([]string, len(l.Jobs))
	for i, j := range l.Jobs {
		texts[i] = fmt.Sprintf("%s: %s", j.Rule, j.State)
		if j.Detail != "" {
			texts[i] += " (" + j.Detail + ")"
		}
	}
	return strings.Join(texts, "; ")
}

// jobsOf are the jobs that the matches of an event have become.
func (c *Console) jobsOf(ctx context.Context, e *events.Event, matches []rules.Match) []web.EventJob {
	var found []web.EventJob
	for _, m := range matches {
		for _, sensor := range e.Sensor.IDs {
			j, err := c.Fleet.Get(ctx, jobs.ID(m.Rule.ID, m.Subject(), edr.Endpoint{Server: e.Sensor.Server, ID: sensor}))
			if err != nil {
				continue // there is none, or it cannot be read now: why says which
			}
			found = append(found, web.EventJob{ID: j.ID, Rule: j.Rule, State: j.State, Detail: j.Detail})
		}
	}
	return found
}

// whyHost says what became of the last events of a host, or that none came; without a
// host of those of all hosts that the query selects.
func (c *Console) whyHost(ctx context.Context, host string, q web.EventQuery, a *account) (bool, error) {
	asked := q
	q.Host, q.Since = host, startOf(q.Since, q.Until, c.Now(), eventsBack)
	if q.Limit == 0 || q.Limit > mostOfHost {
		q.Limit = mostOfHost
	}
	var page web.EventsPage
	found, err := c.lastEvents(ctx, q, &page)
	if err != nil {
		return false, err
	}
	for i, e := range found {
		l := c.eventLine(ctx, e)
		at := cmp.Or(l.Time, l.Received)
		a.add(at, "event", "%s (%s, event %s): %s", l.Story, l.Type, l.ID, l.Verdict)
		if len(l.Rules) == 0 && i >= len(found)-explained {
			c.whyNoRule(at, e, a)
		}
	}
	sensors, problems := c.allSensors(ctx)
	for _, p := range problems {
		a.add(c.Now(), "server", "%s", p)
	}
	known := host == ""
	for _, s := range sensors {
		if sameHost(s.info.Hostname, host) {
			known = true
			if err := c.whyEndpoint(ctx, s.at, asked, a); err != nil {
				return true, err
			}
		}
	}
	if known && len(found) == 0 {
		a.add(c.Now(), "no event", "none that fits is on the bus since %s%s: of %d events there. Does its source work? `pipeline doctor`", q.Since.UTC().Format(time.RFC3339), untilText(q.Until), page.Read)
	}
	return known || len(found) > 0, nil
}

// untilText is the end of a time in words; empty when it was left open.
func untilText(until time.Time) string {
	if until.IsZero() {
		return ""
	}
	return " until " + until.UTC().Format(time.RFC3339)
}
