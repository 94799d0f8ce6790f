package order

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"edrpipe/pkg/edr"
)

// ranking holds the sensors that may have a job run, arranged so that the next
// one is found without looking at the others. It gives the order that
// candidate.before defines; before is what a test holds it against.
//
// Most of that order changes only with time, and at moments known beforehand: a
// level rises, a deadline comes close, a check-in passes. A sensor is placed for
// the present and placed again at the first such moment. What changes with every
// decision is the flows' shares, so sensors are kept apart by flow, and of each
// flow only the first is looked at.
type ranking struct {
	stale    []*Sensor // dead owners' claims, before everything else
	sessions tiers     // those that wait for a session
	others   tiers
	moments  []*Sensor // heap by sensor.place.until
	spots    map[spot]*bench
}

// place is where a sensor stands in the ranking.
type place struct {
	job    *Entry // nil: only a dead owner's claim is to be cleared
	bench  *bench // nil when job is
	key    checkinKey
	index  int // in the bench, or among the stale
	until  time.Time
	moment int // index in ranking.moments, -1: none
}

// spot names a bench.
type spot struct {
	tier  tierKey
	share *share
}

// tierKey is what goes before shares: a deadline at risk, then the level.
type tierKey struct {
	session  bool
	deadline int64 // Unix nanoseconds of a deadline at risk; 0: none is
	level    int
}

// compare orders tiers of one kind.
func (k tierKey) compare(l tierKey) int {
	if (k.deadline == 0) != (l.deadline == 0) {
		return cmp.Compare(l.deadline, k.deadline) // the one that has a deadline at risk
	}
	return cmp.Or(cmp.Compare(k.deadline, l.deadline), cmp.Compare(l.level, k.level))
}

// tier is the sensors of one tierKey, by flow.
type tier struct {
	key     tierKey
	benches []*bench
}

// tiers are kept in order.
type tiers []*tier

// bench is a tier's sensors of one flow: a heap, the first in line on top.
type bench struct {
	tier    *tier
	share   *share
	sensors []*Sensor
}

func newRanking() ranking { return ranking{spots: map[spot]*bench{}} }

// put places a sensor for now, with the job that is the head of its line; nil for
// one whose claim is stale. until is when that head may change by itself.
func (r *ranking) put(sn *Sensor, job *Entry, now, until time.Time, ageing time.Duration) {
	r.drop(sn)
	p := &place{job: job, until: until}
	sn.place = p
	if job == nil {
		p.index = len(r.stale)
		r.stale = append(r.stale, sn)
		return
	}
	key := tierKey{session: job.Session, level: job.level(now, ageing)}
	p.soonest(job.rises(now, ageing))
	if job.risk(now) {
		key.deadline = job.Deadline.UnixNano()
	} else if !job.Deadline.IsZero() {
		p.soonest(job.Deadline.Add(1 - atRisk))
	}
	var moves time.Time
	p.key, moves = sn.checkinKey(now)
	p.soonest(moves)
	p.bench = r.bench(spot{key, job.share})
	heap.Push(p.bench, sn)
	heap.Push((*moments)(&r.moments), sn)
}

func (p *place) soonest(at time.Time) { p.until = Earliest(p.until, at) }

// bench returns the bench of that spot, making it.
func (r *ranking) bench(at spot) *bench {
	if b := r.spots[at]; b != nil {
		return b
	}
	ts := r.tiers(at.tier)
	i, found := ts.find(at.tier)
	if !found {
		*ts = slices.Insert(*ts, i, &tier{key: at.tier})
	}
	t := (*ts)[i]
	b := &bench{tier: t, share: at.share}
	t.benches = append(t.benches, b)
	r.spots[at] = b
	return b
}

func (r *ranking) tiers(k tierKey) *tiers {
	if k.session {
		return &r.sessions
	}
	return &r.others
}

func (ts tiers) find(k tierKey) (int, bool) {
	return slices.BinarySearchFunc(ts, k, func(t *tier, k tierKey) int { return t.key.compare(k) })
}

// drop takes a sensor out.
func (r *ranking) drop(sn *Sensor) {
	p := sn.place
	if p == nil {
		return
	}
	sn.place = nil
	if p.job == nil {
		last := len(r.stale) - 1
		r.stale[p.index] = r.stale[last]
		if p.index != last {
			r.stale[p.index].place.index = p.index
		}
		r.stale[last] = nil
		r.stale = r.stale[:last]
		return
	}
	sn.place = p // the heaps look at it
	heap.Remove((*moments)(&r.moments), p.moment)
	heap.Remove(p.bench, p.index)
	sn.place = nil
	if len(p.bench.sensors) == 0 {
		r.dissolve(p.bench)
	}
}

// dissolve forgets an empty bench, and its tier with the last one.
func (r *ranking) dissolve(b *bench) {
	t := b.tier
	delete(r.spots, spot{t.key, b.share})
	i := slices.Index(t.benches, b)
	t.benches = slices.Delete(t.benches, i, i+1)
	if len(t.benches) == 0 {
		ts := r.tiers(t.key)
		i, _ := ts.find(t.key)
		*ts = slices.Delete(*ts, i, i+1)
	}
}

// due returns a sensor that has to be placed again by now, or nil.
func (r *ranking) due(now time.Time) *Sensor {
	if len(r.moments) == 0 {
		return nil
	}
	if sn := r.moments[0]; !sn.place.until.IsZero() && !sn.place.until.After(now) {
		return sn
	}
	return nil
}

// first returns the highest-ranked sensor, among those that wait for a session or among
// the others, for which skip reports false; nil: none.
func (r *ranking) first(session bool, virtual float64, skip func(edr.Endpoint) bool) *Sensor {
	for _, t := range *r.tiers(tierKey{session: session}) {
		var best *Sensor
		for _, b := range t.benches {
			if best != nil && max(b.share.start, virtual) > max(best.place.bench.share.start, virtual) {
				continue
			}
			sn := b.first(skip)
			if sn != nil && (best == nil || max(b.share.start, virtual) < max(best.place.bench.share.start, virtual) || sn.ahead(best)) {
				best = sn
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

// first is the bench's first sensor that is not skipped. Those skipped are the
// few that other replicas work on.
func (b *bench) first(skip func(edr.Endpoint) bool) (found *Sensor) {
	var passed []*Sensor
	for len(b.sensors) > 0 && found == nil {
		if top := b.sensors[0]; skip(top.Endpoint) {
			passed = append(passed, heap.Pop(b).(*Sensor))
		} else {
			found = top
		}
	}
	for _, sn := range passed {
		heap.Push(b, sn)
	}
	return found
}

// ahead reports whether a sensor goes before another of the same tier and share.
func (sn *Sensor) ahead(other *Sensor) bool {
	if c := sn.place.key.compare(other.place.key); c != 0 {
		return c < 0
	}
	return byRank(sn.place.job, other.place.job) < 0
}

func (b *bench) Len() int           { return len(b.sensors) }
func (b *bench) Less(i, j int) bool { return b.sensors[i].ahead(b.sensors[j]) }
func (b *bench) Swap(i, j int) {
	b.sensors[i], b.sensors[j] = b.sensors[j], b.sensors[i]
	b.sensors[i].place.index, b.sensors[j].place.index = i, j
}
func (b *bench) Push(x any) {
	sn := x.(*Sensor)
	sn.place.index = len(b.sensors)
	b.sensors = append(b.sensors, sn)
}
func (b *bench) Pop() any { return pop(&b.sensors) }

// moments is the heap of placed sensors by when they have to be placed again.
type moments []*Sensor

func (m moments) Len() int { return len(m) }
func (m moments) Less(i, j int) bool {
	x, y := m[i].place.until, m[j].place.until
	return !x.IsZero() && (y.IsZero() || x.Before(y))
}
func (m moments) Swap(i, j int) {
	m[i], m[j] = m[j], m[i]
	m[i].place.moment, m[j].place.moment = i, j
}
func (m *moments) Push(x any) {
	sn := x.(*Sensor)
	sn.place.moment = len(*m)
	*m = append(*m, sn)
}
func (m *moments) Pop() any { return pop((*[]*Sensor)(m)) }

func pop(s *[]*Sensor) *Sensor {
	last := len(*s) - 1
	sn := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return sn
}
