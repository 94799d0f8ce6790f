package jobs

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"edrpipe/pkg/jobs/job"
)

// manyEnded is a store with jobs that have ended, which counts those that a reading was
// given. Every tenth was made hours before those that ended beside it.
type manyEnded struct {
	job.Memory
	given int
}

const ended = 20_000

func (m *manyEnded) Finished(_ context.Context, since time.Time, see func(*Job), enough func(time.Time) bool) error {
	for i := range ended {
		archived := newest.Add(-time.Duration(i) * time.Second)
		if archived.Before(since) {
			return nil
		}
		m.given++
		see(m.job(i))
		if i%100 == 99 && enough != nil && enough(archived) {
			return nil
		}
	}
	return nil
}

var newest = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// job is the one that was archived i seconds before the newest.
func (m *manyEnded) job(i int) *Job {
	j := chain(i%7, step("test_run", "x"))
	j.ID, j.State, j.Rule = fmt.Sprintf("job%05d", i), Succeeded, fmt.Sprint("rule", i%3)
	j.Created = newest.Add(-time.Duration(i) * time.Second)
	if i < 200 || i%10 == 0 {
		j.Created = j.Created.Add(-2*time.Hour - time.Second/2)
	}
	return j
}

// TestAListOfManyEndedJobs has the jobs that were made last, in order, and neither reads
// nor holds more than its length needs.
func TestAListOfManyEndedJobs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		q    Query
		read int // jobs at the most
	}{
		"the latest":         {Query{Limit: 50}, 400},
		"of a rule":          {Query{Limit: 50, Rule: "rule1"}, 500},
		"of an endpoint":     {Query{Limit: 50, Endpoint: at(3)}, 800},
		"more than selected": {Query{Limit: 50, Rule: "none"}, ended},
		"all":                {Query{Rule: "rule2"}, ended},
	} {
		store := new(manyEnded)
		s, err := New(Config{Server: newFakeServer(1), Store: store})
		if err != nil {
			t.Fatal(err)
		}
		c.q.Since = newest.Add(-24 * time.Hour)
		list, err := s.List(t.Context(), c.q)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := ids(list), ids(store.latest(c.q)); !slices.Equal(got, want) {
			t.Errorf("%s: %d jobs, %v ..., want %d, %v ...", name, len(got), got[:min(5, len(got))], len(want), want[:min(5, len(want))])
		}
		if store.given > c.read {
			t.Errorf("%s: %d jobs were read, want %d at the most", name, store.given, c.read)
		}
	}
}

// latest is what a list has, found by sorting all there are.
func (m *manyEnded) latest(q Query) (all []*Job) {
	for i := range ended {
		if j := m.job(i); q.Selects(j) {
			all = append(all, j)
		}
	}
	slices.SortFunc(all, func(a, b *Job) int { return a.Created.Compare(b.Created) })
	if q.Limit > 0 && len(all) > q.Limit {
		all = all[len(all)-q.Limit:]
	}
	return all
}

func ids(list []*Job) (all []string) {
	for _, j := range list {
		all = append(all, j.ID)
	}
	return all
}

// TestAJobThatEndsDuringAListIsInItOnce, whichever of its two records is found.
func TestAJobThatEndsDuringAListIsInItOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, after bool }{
		"stays live":                 {},
		"ends before the ended ones": {before: true},
		"ends after the ended ones":  {after: true},
	} {
		store := new(Memory)
		s, err := New(Config{Server: newFakeServer(1), Store: store})
		if err != nil {
			t.Fatal(err)
		}
		j := chain(1, step("test_run", "x"))
		j.ID, j.State = "a", Queued
		if _, err := store.Create(t.Context(), []*Job{j}); err != nil {
			t.Fatal(err)
		}
		s.ending[j.ID] = at(1)
		archive := func(now bool) {
			if !now {
				return
			}
			j.State, j.Ended = Succeeded, time.Now()
			if err := store.Archive(t.Context(), j); err != nil {
				t.Error(err)
			}
		}
		s.cfg.Store = endsMeanwhile{store, func() { archive(c.before) }, func() { archive(c.after) }}
		list, err := s.List(t.Context(), Query{Since: time.Now().Add(-time.Hour)})
		if err != nil || len(list) != 1 || list[0].ID != j.ID {
			t.Errorf("%s: %v, %v", name, ids(list), err)
		}
	}
}

// endsMeanwhile has something happen before and after the ended jobs are read.
type endsMeanwhile struct {
	Store
	before, after func()
}

func (e endsMeanwhile) Finished(ctx context.Context, since time.Time, see func(*Job), enough func(time.Time) bool) error {
	e.before()
	defer e.after()
	return e.Store.Finished(ctx, since, see, enough)
}
