package jobs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"edrpipe/internal/ranking"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/order"
)

// Query selects jobs; the zero value selects every live job.
type Query struct {
	States    []State
	Endpoint  edr.Endpoint // an empty server or id: any
	Rule      string
	Submitter string
	Since     time.Time // also jobs that ended at or after it; zero: live ones only
	Limit     int       // the latest by Created; 0: all
}

// List returns jobs, oldest first. With a Limit it holds about so many records, otherwise
// all that q selects.
func (s *Scheduler) List(ctx context.Context, q Query) ([]*Job, error) {
	return List(ctx, s.cfg.Store, []*Scheduler{s}, q)
}

// List returns jobs of schedulers that share a store, oldest first.
func List(ctx context.Context, store Store, of []*Scheduler, q Query) ([]*Job, error) {
	latest := ranking.First[*Job]{Size: q.Limit, Compare: newerFirst}
	if err := Each(ctx, store, of, q, latest.Add, nil); err != nil {
		return nil, err
	}
	all := latest.Values()
	slices.Reverse(all)
	return all, nil
}

// newerFirst orders jobs by the time when they were made.
func newerFirst(a, b *Job) int {
	return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.Revision, a.Revision), cmp.Compare(b.ID, a.ID))
}

// clockSkew is how far the clock of the bus, which dates what is archived, may be behind
// that of a service, which dates what is made.
const clockSkew = time.Minute

// Each calls see with the jobs of schedulers that share a store, each once, in no order.
// It holds the ids of the live ones and one record at a time. It may leave out jobs that
// are not among the latest q.Limit, and ends early where done, which may be nil, reports
// that no more are wanted.
func Each(ctx context.Context, store Store, of []*Scheduler, q Query, see func(*Job), done func() bool) error {
	servers := map[string]bool{}
	// The live ones first: a job that ends meanwhile is still found by its id.
	live := map[string]*Scheduler{}
	for _, s := range of {
		servers[s.cfg.Server.Name()] = true
		for _, id := range s.liveIDs(q) {
			live[id] = s
		}
	}
	latest := ranking.First[time.Time]{Size: q.Limit, Compare: func(a, b time.Time) int { return b.Compare(a) }}
	selected := func(j *Job) {
		if servers[j.Endpoint.Server] && q.Selects(j) {
			latest.Add(j.Created)
			see(j)
		}
	}
	if !q.Since.IsZero() {
		err := store.Finished(ctx, q.Since, func(j *Job) {
			delete(live, j.ID)
			selected(j)
		}, func(archived time.Time) bool {
			// What was archived earlier was made still earlier.
			worst, full := latest.Last()
			return done != nil && done() || q.Limit > 0 && full && archived.Add(clockSkew).Before(worst)
		})
		if err != nil {
			return err
		}
	}
	for id, s := range live {
		if done != nil && done() {
			return nil
		}
		j, err := s.records.storeOf(id).Get(ctx, id)
		switch {
		case err == nil:
			selected(j)
		case !errors.Is(err, ErrNoJob) && !errors.Is(err, ErrDamaged):
			return err
		}
	}
	return nil
}

// at reports whether the query selects jobs of an endpoint.
func (q Query) at(e edr.Endpoint) bool {
	return (q.Endpoint.Server == "" || q.Endpoint.Server == e.Server) && (q.Endpoint.ID == "" || q.Endpoint.ID == e.ID)
}

// Selects reports whether a job fits the query, but for its Since and Limit.
func (q Query) Selects(j *Job) bool {
	return (len(q.States) == 0 || slices.Contains(q.States, j.State)) &&
		q.at(j.Endpoint) && (q.Rule == "" || q.Rule == j.Rule) &&
		(q.Submitter == "" || q.Submitter == j.Submitter)
}

// liveIDs chooses by what is in memory, so that a short list of a long queue
// reads few records.
func (b *board) liveIDs(q Query) (ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var chosen []*order.Entry
	for e := range b.queue.Jobs() {
		if q.mayMatch(e) {
			chosen = append(chosen, e)
		}
	}
	if q.Limit > 0 && len(chosen) > q.Limit {
		slices.SortFunc(chosen, func(a, b *order.Entry) int { return b.Created.Compare(a.Created) })
		chosen = chosen[:q.Limit]
	}
	for _, e := range chosen {
		ids = append(ids, e.ID)
	}
	for id, of := range b.ending {
		if q.at(of) {
			ids = append(ids, id)
		}
	}
	return ids
}

// mayMatch leaves out what cannot match. The state in memory may be a moment
// behind its record, which only matters to those who want all there is.
func (q Query) mayMatch(e *order.Entry) bool {
	return q.at(e.Sensor.Endpoint) && (q.Rule == "" || q.Rule == e.Flow.Rule) &&
		(q.Submitter == "" || q.Submitter == e.Flow.Submitter) &&
		(q.Limit == 0 || len(q.States) == 0 || slices.Contains(q.States, e.State))
}
