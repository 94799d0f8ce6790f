package order

import (
	"time"

	"edrpipe/pkg/jobs/job"
)

// group is the live jobs of one concurrency key.
type group struct {
	jobs    map[string]*Entry
	running int
}

// enterGroup puts a job into its group; one that runs keeps the others waiting.
func (q *Queue) enterGroup(e *Entry, now time.Time) {
	if e.Group == "" {
		return
	}
	g := q.groups[e.Group]
	if g == nil {
		g = &group{jobs: map[string]*Entry{}}
		q.groups[e.Group] = g
	}
	g.jobs[e.ID] = e
	if e.State == job.Running {
		g.running++
		q.reviewGroup(g, now)
	}
}

// leaveGroup takes a job out of its group and wakes those that waited for it.
func (q *Queue) leaveGroup(e *Entry, now time.Time) {
	g := q.groups[e.Group]
	if g == nil {
		return
	}
	if delete(g.jobs, e.ID); len(g.jobs) == 0 {
		delete(q.groups, e.Group)
	}
	if e.State == job.Running {
		g.running--
		q.reviewGroup(g, now)
	}
}

func (q *Queue) reviewGroup(g *group, now time.Time) {
	for _, e := range g.jobs {
		q.Review(e.Sensor, now)
	}
}

// groupRuns reports whether a job of the concurrency group runs.
func (q *Queue) GroupRuns(key string) bool {
	g := q.groups[key]
	return g != nil && g.running > 0
}
