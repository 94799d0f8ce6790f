package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs"
)

// jobParameters are the names of the parameters of a list of jobs.
var jobParameters = []string{"state", "rule", "sensor", "host", "server", "tenant", "action", "text", "since", "until", "sort", "limit", "offset"}

func jobQuery(r *http.Request) (web.JobQuery, error) {
	v := r.URL.Query()
	q := web.JobQuery{State: v.Get("state"), Rule: v.Get("rule"), Host: v.Get("host"), Server: v.Get("server"), Tenant: v.Get("tenant"), Action: v.Get("action"), Text: v.Get("text"), Sort: v.Get("sort")}
	err := known("state", q.State, stateNames())
	if err != nil {
		return q, err
	}
	q.Sensor = looseid.ID(v.Get("sensor"))
	if q.Limit, err = web.Limit(r, "limit"); err != nil {
		return q, err
	}
	if q.Offset, err = web.Number(r, "offset", 0); err != nil {
		return q, err
	}
	if q.Offset > web.MaxOffset {
		return q, errors.Join(web.ErrBadRequest, fmt.Errorf("offset: %d is the largest; write since, until or another filter for a shorter list", web.MaxOffset))
	}
	if _, ok := jobSorts[strings.TrimPrefix(q.Sort, "-")]; q.Sort != "" && !ok {
		return q, errors.Join(web.ErrBadRequest, errors.New("sort: write created, updated, state, rule or host, with - before it for the other direction"))
	}
	q.Since, q.Until, err = spanOf(v)
	return q, err
}

// spanOf reads the time that a query is about: its parameters since and until, which
// may both be absent.
func spanOf(v url.Values) (since, until time.Time, err error) {
	if since, err = timeOf(v.Get("since"), "since"); err != nil {
		return since, until, err
	}
	if until, err = timeOf(v.Get("until"), "until"); err != nil {
		return since, until, err
	}
	if !until.IsZero() && until.Before(since) {
		err = errors.Join(web.ErrBadRequest, fmt.Errorf("until: %s is before since, %s", until.Format(time.RFC3339), since.Format(time.RFC3339)))
	}
	return since, until, err
}

// startOf is where a time begins that a query left open: so long before its end, which
// is now unless the query says otherwise.
func startOf(since, until, now time.Time, back time.Duration) time.Time {
	if !since.IsZero() {
		return since
	}
	if !until.IsZero() && until.Before(now) {
		now = until
	}
	return now.Add(-back)
}

// stateNames are the words that a query by state may have.
func stateNames() []string {
	names := []string{"live", "ended"}
	for _, state := range append(jobs.LiveStates(), jobs.EndedStates()...) {
		names = append(names, string(state))
	}
	return names
}

// timeOf reads a time of a query, which may be absent.
func timeOf(s, name string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, errors.Join(web.ErrBadRequest, errors.New(name+": write a time such as 2026-01-31T12:00:00Z"))
	}
	return t, nil
}

// states are those that the query's word stands for; nil: all.
func states(word string) []jobs.State {
	switch word {
	case "":
		return nil
	case "live":
		return jobs.LiveStates()
	case "ended":
		return jobs.EndedStates()
	}
	return []jobs.State{jobs.State(word)}
}

// inStore reports whether the scheduler can answer the query by itself, newest first.
func inStore(q web.JobQuery) bool {
	return q.Host+q.Server+q.Tenant+q.Action+q.Text == "" && q.Until.IsZero() && (q.Sort == "" || q.Sort == "-created")
}

// selects reports whether a job fits what the scheduler's own query cannot say.
func selects(q web.JobQuery, j *jobs.Job) bool {
	if !q.Until.IsZero() && j.Created.After(q.Until) {
		return false
	}
	if q.Host != "" && !strings.Contains(strings.ToLower(j.Host), strings.ToLower(q.Host)) {
		return false
	}
	if q.Server != "" && !strings.EqualFold(j.Endpoint.Server, q.Server) {
		return false
	}
	if q.Action != "" && !slices.ContainsFunc(j.Steps, func(s actions.Step) bool { return s.Uses == q.Action }) {
		return false
	}
	if q.Text == "" {
		return true
	}
	all := strings.ToLower(strings.Join([]string{j.ID, j.Rule, j.Host, j.Submitter, string(j.State), string(j.Reason), j.Detail, story(j)}, " "))
	for word := range strings.FieldsSeq(strings.ToLower(q.Text)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}

// pageOf is the part of a list that a page shows.
func pageOf[T any](all []T, offset, limit int) []T {
	from := min(offset, len(all))
	return all[from:min(from+limit, len(all))]
}
