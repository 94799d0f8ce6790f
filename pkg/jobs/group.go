package jobs

import "time"

// group is the live jobs of one concurrency key.
type group struct {
	jobs    map[string]*entry
	running int
}

// enterGroup puts a job into its group; one that runs keeps the others waiting.
func (q *queue) enterGroup(e *entry, now time.Time) {
	if e.group == "" {
		return
	}
	g := q.groups[e.group]
	if g == nil {
		g = &group{jobs: map[string]*entry{}}
		q.groups[e.group] = g
	}
	g.jobs[e.id] = e
	if e.state == Running {
		g.running++
		q.reviewGroup(g, now)
	}
}

// leaveGroup takes a job out of its group and wakes those that waited for it.
func (q *queue) leaveGroup(e *entry, now time.Time) {
	g := q.groups[e.group]
	if g == nil {
		return
	}
	if delete(g.jobs, e.id); len(g.jobs) == 0 {
		delete(q.groups, e.group)
	}
	if e.state == Running {
		g.running--
		q.reviewGroup(g, now)
	}
}

func (q *queue) reviewGroup(g *group, now time.Time) {
	for _, e := range g.jobs {
		q.review(e.sensor, now)
	}
}

// groupRuns tells whether a job of the concurrency group runs.
func (q *queue) groupRuns(key string) bool {
	g := q.groups[key]
	return g != nil && g.running > 0
}
