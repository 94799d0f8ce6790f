package fleet

import (
	"context"
	"maps"
	"slices"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// List returns jobs of all servers, oldest first.
func (f *Fleet) List(ctx context.Context, q jobs.Query) ([]*jobs.Job, error) {
	if m := f.with(q.Endpoint.Server); m != nil || len(f.all()) == 1 {
		if m == nil {
			m = f.cfg.Members[0]
		}
		return m.Scheduler.List(ctx, q)
	}
	var all []*jobs.Job
	for _, m := range f.all() {
		of, err := m.Scheduler.Unended(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	if !q.Since.IsZero() { // the live ones first: a job that ends meanwhile is found here
		done, err := f.cfg.Store.Finished(ctx, q.Since)
		if err != nil {
			return nil, err
		}
		ended := make(map[string]bool, len(done))
		for _, j := range done {
			ended[j.ID] = true
		}
		all = append(slices.DeleteFunc(all, func(j *jobs.Job) bool { return ended[j.ID] }), done...)
	}
	all = slices.DeleteFunc(all, func(j *jobs.Job) bool { return f.with(j.Endpoint.Server) == nil || !q.Selects(j) })
	slices.SortStableFunc(all, func(a, b *jobs.Job) int { return a.Created.Compare(b.Created) })
	if q.Limit > 0 && len(all) > q.Limit {
		all = all[len(all)-q.Limit:]
	}
	return all, nil
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
