package fleet

import (
	"context"
	"fmt"
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// NoServer is the error of a job or an endpoint whose server is not configured.
type NoServer struct {
	Name       string
	Configured []string
}

// Error implements error.
func (n *NoServer) Error() string {
	if n.Name == "" {
		return "no server is named, and there are several: write SERVER/ID, with one of " + strings.Join(n.Configured, ", ")
	}
	return fmt.Sprintf("no server named %q is configured; there are %s", n.Name, strings.Join(n.Configured, ", "))
}

// At returns the server of an endpoint. An empty name is the only server.
func (f *Fleet) At(server string) (*Member, error) {
	if server == "" {
		server = f.Sole()
	}
	if m := f.byName[server]; m != nil {
		return m, nil
	}
	return nil, &NoServer{server, f.Names()}
}

// Enqueue records jobs, each with the scheduler of its endpoint's server: all of one
// server or none. After an error some servers may have theirs; recording the same jobs
// again makes no second one.
func (f *Fleet) Enqueue(ctx context.Context, js ...*jobs.Job) (created []bool, err error) {
	of := map[*Member][]int{}
	for i, j := range js {
		m, err := f.At(j.Endpoint.Server)
		if err != nil {
			return nil, fmt.Errorf("job %s on endpoint %s: %w", j.ID, j.Endpoint.ID, err)
		}
		j.Endpoint.Server = m.Name
		of[m] = append(of[m], i)
	}
	created = make([]bool, len(js))
	for _, m := range f.cfg.Members {
		if len(of[m]) == 0 {
			continue
		}
		part := make([]*jobs.Job, len(of[m]))
		for i, n := range of[m] {
			part[i] = js[n]
		}
		made, err := m.Scheduler.Enqueue(ctx, part...)
		if err != nil {
			return nil, err
		}
		for i, n := range of[m] {
			created[n] = made[i]
		}
	}
	return created, nil
}

// Get returns a job of any server, live or finished.
func (f *Fleet) Get(ctx context.Context, id string) (*jobs.Job, error) {
	return f.cfg.Store.Get(ctx, id)
}

// of returns the scheduler that works on a job.
func (f *Fleet) of(ctx context.Context, id string) (*jobs.Scheduler, error) {
	j, err := f.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	m, err := f.keeper(j)
	if err != nil {
		return nil, fmt.Errorf("%w: job %s: %w", jobs.ErrRefused, id, err)
	}
	return m.Scheduler, nil
}

// keeper returns the server of a job, also one that is not configured any more.
func (f *Fleet) keeper(j *jobs.Job) (*Member, error) {
	if m := f.with(j.Endpoint.Server); m != nil {
		return m, nil
	}
	return f.At(j.Endpoint.Server)
}

// Cancel is jobs.Scheduler.Cancel.
func (f *Fleet) Cancel(ctx context.Context, id, by, why string) (*jobs.Job, error) {
	s, err := f.of(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.Cancel(ctx, id, by, why)
}

// Retry is jobs.Scheduler.Retry.
func (f *Fleet) Retry(ctx context.Context, id, by string) (*jobs.Job, error) {
	s, err := f.of(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.Retry(ctx, id, by)
}

// Resolve is jobs.Scheduler.Resolve.
func (f *Fleet) Resolve(ctx context.Context, id string, o jobs.Outcome, by string) (*jobs.Job, error) {
	s, err := f.of(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.Resolve(ctx, id, o, by)
}

// Undo is jobs.Scheduler.Undo.
func (f *Fleet) Undo(ctx context.Context, id, by string) ([]string, error) {
	s, err := f.of(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.Undo(ctx, id, by)
}

// Approve is jobs.Scheduler.Approve.
func (f *Fleet) Approve(ctx context.Context, id string, a jobs.Answer) (*jobs.Job, error) {
	s, err := f.of(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.Approve(ctx, id, a)
}

// Resume has every scheduler go on.
func (f *Fleet) Resume() {
	for _, m := range f.all() {
		m.Scheduler.Resume()
	}
}

// Live reports whether a job is among the live ones of any server.
func (f *Fleet) Live(id string) bool {
	for _, m := range f.all() {
		if m.Scheduler.Live(id) {
			return true
		}
	}
	return false
}

// Lost is jobs.Scheduler.Lost for all servers.
func (f *Fleet) Lost(ctx context.Context, told []jobs.TransitionNotice) (lost []string, err error) {
	for _, m := range f.all() {
		of, err := m.Scheduler.Lost(ctx, told)
		lost = append(lost, of...)
		if err != nil {
			return lost, fmt.Errorf("server %s: %w", m.Name, err)
		}
	}
	return lost, nil
}

// Sensor returns what the scheduler of an endpoint's server last read of it.
func (f *Fleet) Sensor(at edr.Endpoint) (info edr.Sensor, known bool) {
	m := f.byName[at.Server]
	if m == nil {
		return edr.Sensor{}, false
	}
	info, _, known = m.Scheduler.Sensor(at)
	return info, known
}
