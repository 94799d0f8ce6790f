package fleet

import (
	"context"
	"maps"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// List returns jobs of all servers, oldest first.
func (f *Fleet) List(ctx context.Context, q jobs.Query) ([]*jobs.Job, error) {
	return jobs.List(ctx, f.cfg.Store, schedulersOf(f, q), q)
}

// Each is jobs.Each for the jobs of all servers.
func (f *Fleet) Each(ctx context.Context, q jobs.Query, see func(*jobs.Job), done func() bool) error {
	return jobs.Each(ctx, f.cfg.Store, schedulersOf(f, q), q, see, done)
}

// schedulersOf returns those that may have jobs which a query selects.
func schedulersOf(f *Fleet, q jobs.Query) []*jobs.Scheduler {
	if m := f.with(q.Endpoint.Server); m != nil {
		return []*jobs.Scheduler{m.Scheduler}
	}
	var all []*jobs.Scheduler
	for _, m := range f.all() {
		all = append(all, m.Scheduler)
	}
	return all
}

// Explain is jobs.Scheduler.Explain. A job of a server without a record waits for that server.
func (f *Fleet) Explain(ctx context.Context, id string) (jobs.Explanation, error) {
	j, err := f.Get(ctx, id)
	if err != nil {
		return jobs.Explanation{}, err
	}
	m, err := f.keeper(j)
	if err != nil {
		x := jobs.Explanation{Job: j, Reason: j.Reason, Detail: j.Detail, Next: j.WakeAt}
		if !j.State.Terminal() {
			x.Reason, x.Detail = jobs.ReasonServer, err.Error()
		}
		return x, nil
	}
	return m.Scheduler.Explain(ctx, id)
}

// Reasons returns what each job of a list waits for, without its position.
func (f *Fleet) Reasons(list []*jobs.Job) []jobs.Explanation {
	all := make([]jobs.Explanation, len(list))
	of := map[*Member][]int{}
	for i, j := range list {
		all[i] = jobs.Explanation{Job: j, Reason: j.Reason, Detail: j.Detail, Next: j.WakeAt}
		if m := f.with(j.Endpoint.Server); m != nil {
			of[m] = append(of[m], i)
		}
	}
	for m, at := range of {
		part := make([]*jobs.Job, len(at))
		for i, n := range at {
			part[i] = list[n]
		}
		for i, x := range m.Scheduler.Reasons(part) {
			all[at[i]] = x
		}
	}
	return all
}

// Waiting counts the live jobs of each endpoint that do not run.
func (f *Fleet) Waiting() map[edr.Endpoint]int {
	all := map[edr.Endpoint]int{}
	for _, m := range f.all() {
		maps.Copy(all, m.Scheduler.Waiting())
	}
	return all
}

// Stats adds up what the schedulers count. Refusing is left out: it is of one server.
func (f *Fleet) Stats() jobs.Stats {
	sum := jobs.Stats{Jobs: map[jobs.State]int{}, Waiting: map[jobs.Reason]int{}, Claims: map[edr.Endpoint]jobs.Claim{}}
	for _, m := range f.all() {
		st := m.Scheduler.Stats()
		for state, n := range st.Jobs {
			sum.Jobs[state] += n
		}
		for reason, n := range st.Waiting {
			sum.Waiting[reason] += n
		}
		maps.Copy(sum.Claims, st.Claims)
		sum.Sensors, sum.Working = sum.Sensors+st.Sensors, sum.Working+st.Working
		sum.Slots, sum.Limit, sum.Foreign = sum.Slots+st.Slots, sum.Limit+st.Limit, sum.Foreign+st.Foreign
		sum.Paused = st.Paused
	}
	return sum
}
