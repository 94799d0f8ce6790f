package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"edrpipe/internal/ranking"
	"edrpipe/internal/web"
	"edrpipe/pkg/jobs"
)

// pageBytes bounds the lines of a page as JSON: a page of endpoints' long texts is shorter.
const pageBytes = 8 << 20

// place is what the order of a list takes of a job: a list holds places, and reads the
// records of its page only.
type place struct {
	id, rule, host   string
	state            jobs.State
	created, updated time.Time
}

func placeOf(j *jobs.Job) place {
	return place{j.ID, j.Rule, j.Host, j.State, j.Created, j.Updated}
}

// jobSorts are the orders of a list of jobs. All but created begin with "-" for the
// largest first.
var jobSorts = map[string]func(a, b place) int{
	"created": func(a, b place) int { return a.created.Compare(b.created) },
	"updated": func(a, b place) int { return a.updated.Compare(b.updated) },
	"state":   func(a, b place) int { return cmp.Compare(a.state, b.state) },
	"rule":    func(a, b place) int { return cmp.Compare(a.rule, b.rule) },
	"host":    func(a, b place) int { return cmp.Compare(strings.ToLower(a.host), strings.ToLower(b.host)) },
}

// inOrder compares places in the order of a query; the newest is first without one, and
// among equals.
func inOrder(order string) func(a, b place) int {
	name, down := strings.CutPrefix(order, "-")
	by := jobSorts[name]
	return func(a, b place) int {
		var n int
		if by != nil {
			n = by(a, b)
		}
		if down {
			n = -n
		}
		return cmp.Or(n, b.created.Compare(a.created), cmp.Compare(b.id, a.id))
	}
}

// jobList says which part of the jobs that a query selects is wanted.
type jobList struct {
	query         jobs.Query
	fits          func(*jobs.Job) bool // what the query cannot say; nil: all
	order         string               // of jobSorts; empty: the newest first
	offset, limit int
}

// places returns where the jobs of a page are, in order, and how many jobs fit. It holds
// as many places as there are up to the end of the page, however many jobs have ended.
func (c *Console) places(ctx context.Context, l jobList) (page []place, total int, err error) {
	first := ranking.First[place]{Size: l.offset + l.limit, Compare: inOrder(l.order)}
	err = c.Fleet.Each(ctx, l.query, func(j *jobs.Job) {
		if l.fits == nil || l.fits(j) {
			total++
			first.Add(placeOf(j))
		}
	}, nil)
	return pageOf(first.Values(), l.offset, l.limit), total, err
}

// eachPlace calls see with the job of each place until it returns false, one record at a
// time. A job that has expired since is left out.
func (c *Console) eachPlace(ctx context.Context, page []place, see func(*jobs.Job) bool) error {
	for _, p := range page {
		j, err := c.Fleet.Get(ctx, p.id)
		if errors.Is(err, jobs.ErrNoJob) || errors.Is(err, jobs.ErrDamaged) {
			continue
		}
		if err != nil {
			return err
		}
		if !see(j) {
			return nil
		}
	}
	return nil
}

// lines returns the jobs of a page as lists show them, up to pageBytes of them.
func (c *Console) lines(ctx context.Context, page []place) ([]web.JobLine, error) {
	lines, size := []web.JobLine{}, 0
	err := c.eachPlace(ctx, page, func(j *jobs.Job) bool {
		x := c.Fleet.Reasons([]*jobs.Job{j})[0]
		l := line(j)
		l.Reason, l.Detail = x.Reason, x.Detail
		data, err := json.Marshal(l)
		if size += len(data); err != nil || size > pageBytes && len(lines) > 0 {
			return err != nil // the answer as a whole says what cannot be written
		}
		lines = append(lines, l)
		return true
	})
	return lines, err
}

// jobLines lists the latest jobs that a query selects, newest first.
func (c *Console) jobLines(ctx context.Context, q jobs.Query) ([]web.JobLine, error) {
	q.Limit = web.MaxList
	page, _, err := c.places(ctx, jobList{query: q, limit: web.MaxList})
	if err != nil {
		return nil, err
	}
	return c.lines(ctx, page)
}
