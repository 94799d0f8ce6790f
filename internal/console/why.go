package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"edrpipe/internal/health"
	"edrpipe/internal/notices"
	"edrpipe/internal/web"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

// account is the answer to "why", line by line.
type account struct{ web.Why }

func (a *account) add(at time.Time, what, format string, args ...any) {
	a.Lines = append(a.Lines, web.WhyLine{At: at, What: what, Text: fmt.Sprintf(format, args...)})
}

func (c *Console) whyRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/why", web.Viewer, "What became of an event, a job, a sensor or the events of a host, and why", func(r *http.Request, _ struct{}) (web.Why, error) {
			q, err := eventQuery(r)
			if err != nil {
				return web.Why{}, err
			}
			return c.Why(r.Context(), r.URL.Query().Get("about"), q)
		}, "about", "process", "text", "since", "until", "limit").ByTenant(),
	}
}

// Why explains what became of an event, a job, a sensor (sensor:42), the events of a host
// or those of a process, through the whole pipe. The query narrows the events.
func (c *Console) Why(ctx context.Context, about string, q web.EventQuery) (web.Why, error) {
	a := &account{web.Why{About: about, Lines: []web.WhyLine{}}}
	var err error
	switch id, isSensor := strings.CutPrefix(about, "sensor:"); {
	case about == "" && q.Process+q.Text != "":
		_, err = c.whyHost(ctx, "", q, a)
	case about == "":
		err = errors.Join(web.ErrBadRequest, errors.New("about what? Name a host, an event, a job, an endpoint (hq/42), or a process"))
	case isSensor, strings.Contains(about, "/"): // host names, jobs and events have no slash
		err = c.whySensor(ctx, id, q, a)
	default:
		if err = c.whyJob(ctx, about, a); !errors.Is(err, jobs.ErrNoJob) {
			break
		}
		var known bool
		if known, err = c.whyHost(ctx, about, q, a); err == nil && !known {
			a.Lines = a.Lines[:0]
			err = c.whyEvent(ctx, about, a)
		}
	}
	if c.whyUnread(ctx, a, err) {
		return a.Why, nil
	}
	c.whyNoJob(ctx, a)
	return a.Why, err
}

// whyUnread answers with the checks that explain why the records could not be read, and
// reports whether there are such.
func (c *Console) whyUnread(ctx context.Context, a *account, err error) (answered bool) {
	for _, own := range []error{nil, web.ErrNotFound, web.ErrBadRequest, jobs.ErrNoJob, edr.ErrUnknownSensor} {
		if errors.Is(err, own) {
			return false
		}
	}
	for _, k := range c.Checks(context.WithoutCancel(ctx)) {
		if k.Ready() {
			continue
		}
		text := fmt.Sprintf("what became of it cannot be read now: %s: %s", k.Name, k.State)
		if !web.UserOf(ctx).Limited() {
			text += ": " + k.Evidence + ". " + k.Cure
		}
		a.add(k.Since, "unread", "%s", text)
	}
	if len(a.Lines) == 0 {
		return false
	}
	a.add(c.Now(), "error", "%v", err)
	return true
}

// whyNoJob adds to an answer without a job what keeps new events from becoming one: newest
// rule files that are not in force, an intake that does not read, a full disk. Users of single
// tenants may not read rules.
func (c *Console) whyNoJob(ctx context.Context, a *account) {
	if len(a.Lines) == 0 || slices.ContainsFunc(a.Lines, func(l web.WhyLine) bool { return l.What == "matched" || l.What == "asked for" }) {
		return
	}
	if st := c.Rules.Live.State().Rejected; st != nil {
		text := "the newest rule files have mistakes and are not in force, those from before are"
		if !web.UserOf(ctx).Limited() {
			text += ": " + shorten(st.Problems.Error(), 300)
		}
		a.add(st.At, "rules", "%s", text)
	}
	for _, k := range c.Checks(ctx) {
		switch {
		case k.State != health.Failed:
		case k.Name == "intake":
			a.add(k.Since, "intake", "events are not read now, and the newest have no job yet: %s", k.Evidence)
		case k.Name == "disk":
			a.add(k.Since, "disk", "no new event is taken now: %s", k.Evidence)
		}
	}
}

func (c *Console) whyJob(ctx context.Context, id string, a *account) error {
	if _, err := c.job(ctx, id); err != nil {
		return err
	}
	x, err := c.Fleet.Explain(ctx, id)
	if err != nil {
		return err
	}
	j := x.Job
	if e := j.Event; e != nil {
		a.add(e.Event.Received, "arrived", "event %s, %s by %s", e.Event.ID, e.Event.Type, e.Event.Transport)
		a.add(j.Created, "matched", "rule %s (digest %.12s)", j.Rule, j.Digest)
	} else {
		a.add(j.Created, "asked for", "by %s", j.Submitter)
	}
	for _, t := range j.History {
		a.add(t.At, "job "+string(t.State), "%s %s", t.Reason, t.Detail)
	}
	for _, s := range j.Done {
		text := s.Error
		if text == "" {
			text = string(s.Output)
		}
		a.add(s.Ended, "step "+s.ID, "%s %s %s %s", s.Uses, s.State, s.Reason, shorten(text, 300))
	}
	if !j.State.Terminal() {
		a.add(c.Now(), "now", "%s: %s", j.State, explain(x))
	}
	return nil
}

func (c *Console) whySensor(ctx context.Context, text string, q web.EventQuery, a *account) error {
	at, err := c.Fleet.FindAmong(ctx, c.members(ctx), text)
	switch {
	case errors.Is(err, edr.ErrUnknownSensor):
		return errors.Join(web.ErrNotFound, err)
	case err != nil:
		return errors.Join(web.ErrBadRequest, err)
	}
	return c.whyEndpoint(ctx, at, q, a)
}

// endpointWithin bounds the question for an endpoint that is only one line of an
// answer.
const endpointWithin = 5 * time.Second

// whyEndpoint says what is known of an endpoint and what became of its jobs: in the time
// of the query where that has an end, else in that time and at least a day.
func (c *Console) whyEndpoint(ctx context.Context, at edr.Endpoint, q web.EventQuery, a *account) error {
	m := c.Fleet.Member(at.Server)
	asking, cancel := context.WithTimeout(ctx, endpointWithin)
	s, err := m.EDR.Sensor(asking, at.ID)
	cancel()
	switch {
	case errors.Is(err, edr.ErrUnknownSensor):
		return errors.Join(web.ErrNotFound, err)
	case err != nil: // what is known here is still shown
		a.add(c.Now(), "server", "%s", silence(m, err))
		if r, err := m.Directory.Lookup(at.ID); err == nil {
			a.add(r.LastCheckin, "checked in", "%s is %s, %s, in group %q, as the server said before it stopped answering", at, r.Hostname, r.OSVersion, r.Group)
		}
	default:
		online := "offline"
		if s.Online {
			online = "online"
		}
		a.add(s.LastCheckin, "checked in", "%s, %s, is %s, next check-in %s, isolation %s", at, s.Hostname, online, s.NextCheckin.UTC().Format(time.RFC3339), s.Isolation)
	}
	since := startOf(q.Since, q.Until, c.Now(), lately)
	if day := c.Now().Add(-lately); q.Until.IsZero() && since.After(day) {
		since = day
	}
	later := func(t time.Time) bool { return !q.Until.IsZero() && t.After(q.Until) }
	page, total, err := c.places(ctx, jobList{query: jobs.Query{Endpoint: at, Since: since}, limit: web.MaxList, fits: func(j *jobs.Job) bool { return !later(j.Created) }})
	if err != nil {
		return err
	}
	if total > len(page) {
		a.add(since, "jobs", "%d older jobs are left out: write a time with since and until", total-len(page))
	}
	if err := c.eachPlace(ctx, page, func(j *jobs.Job) bool { c.whyJobOn(ctx, j, a); return true }); err != nil {
		return err
	}
	err = c.decisions(ctx, since, func(d notices.Decision) {
		if !later(d.At) && string(d.Sensor) == at.ID && (d.Server == at.Server || d.Server == "" && at.Server == c.Fleet.Sole()) {
			a.add(d.At, "no job", "rule %s on event %s: %s: %s", d.Rule, d.Event, d.Reason, d.Detail)
		}
	})
	slices.SortStableFunc(a.Lines, func(x, y web.WhyLine) int { return x.At.Compare(y.At) })
	return err
}

// whyJobOn adds a job of an endpoint to an account.
func (c *Console) whyJobOn(ctx context.Context, j *jobs.Job, a *account) {
	text := fmt.Sprintf("%s %s %s", j.State, j.Reason, j.Detail)
	if !j.State.Terminal() {
		if x, err := c.Fleet.Explain(ctx, j.ID); err == nil {
			text = fmt.Sprintf("%s, %s", j.State, explain(x))
		}
	}
	whose := "rule " + j.Rule
	if j.Rule == "" {
		whose = "by " + j.Submitter
	}
	a.add(j.Created, "job "+j.ID, "%s: %s", whose, text)
}

// whyEvent finds the event among those still on the bus and asks the rules again.
func (c *Console) whyEvent(ctx context.Context, id string, a *account) error {
	e, err := c.findEvent(ctx, id)
	if errors.Is(err, web.ErrNotFound) {
		return c.whyDecidedOn(ctx, id, a, err)
	}
	if err != nil {
		return err
	}
	a.add(e.Event.Received, "arrived", "%s (%s) by %s, of %s, sensors %v", e.Event.Type, e.Event.Kind, e.Event.Transport, e.Event.Time.UTC().Format(time.RFC3339), e.Sensor.IDs)
	set := c.Rules.Live.Set()
	if err := c.placed(ctx, e); err != nil {
		a.add(time.Time{}, "no job", "other_server: %v", err)
	}
	matches, failures, unclear := set.MatchKnowing(e, func(one *events.Event) { _ = c.placed(ctx, one) }) // said above
	for _, u := range unclear {
		a.add(time.Time{}, "no match", "rule %s: %s", u.Rule.ID, u.Why())
	}
	for _, f := range failures {
		a.add(time.Time{}, "rule failed", "%s", f.Error())
	}
	for _, m := range matches {
		if err := c.whyMatch(ctx, m, a); err != nil {
			return err
		}
	}
	if len(matches) > 0 {
		return nil
	}
	a.add(time.Time{}, "no match", "none of the %d rules in force matches; of those for %s:", set.Len(), e.Event.Type)
	c.whyNoRule(time.Time{}, e, a)
	return nil
}

// whyNoRule shows of each rule for events of this type the clause that was false.
func (c *Console) whyNoRule(at time.Time, e *events.Event, a *account) {
	set := c.Rules.Live.Set()
	for _, r := range set.Rules() {
		if compiled, ok := set.Rule(r.ID); ok && r.Enabled && r.Names(e) {
			a.add(at, "rule "+r.ID, "%s", strings.Join(compiled.Explain(e).Reasons(), "; "))
		}
	}
}

// whyDecidedOn tells the decisions on an event that the bus no longer has;
// notFound is the error if there are none either.
func (c *Console) whyDecidedOn(ctx context.Context, id string, a *account, notFound error) error {
	err := c.decisions(ctx, time.Time{}, func(d notices.Decision) {
		if d.Event == id {
			a.add(d.At, "no job", "rule %s, %s, sensor %s: %s: %s", d.Rule, d.Type, d.Sensor, d.Reason, d.Detail)
		}
	})
	if err == nil && len(a.Lines) == 0 {
		return notFound
	}
	return err
}
