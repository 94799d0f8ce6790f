package fleet

import (
	"context"
	"errors"
	"fmt"

	"edrpipe/internal/health"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// errFormer is what every request to a server is answered that is not configured any more.
var errFormer = errors.New("the server is not configured any more")

// former is a server that was configured once. It implements edr.Server: nothing can be
// done on it, and its jobs are still there.
type former struct{ name string }

// NewFormer returns a server that is not configured any more, without a scheduler. Its
// jobs are listed and explained, can be cancelled, and go on when it is configured again.
func NewFormer(name string) *Member {
	return &Member{Name: name, EDR: former{name}, prober: newProber()}
}

// FormerDown is why no job of a former server begins, for jobs.Config.
func FormerDown(name string) string {
	return fmt.Sprintf("no server named %q is configured any more: configure it again, and its jobs go on, or cancel them", name)
}

func (f former) Name() string { return f.name }

func (former) Sensor(context.Context, string) (edr.Sensor, error) { return edr.Sensor{}, errFormer }

func (former) Sensors(context.Context, edr.SensorQuery) ([]edr.Sensor, error) { return nil, errFormer }

func (former) Sessions(context.Context) ([]edr.SessionInfo, error) { return nil, errFormer }

func (former) Open(context.Context, string) (edr.Session, error) { return nil, errFormer }

func (former) Attach(context.Context, string) (edr.Session, error) { return nil, errFormer }

func (former) CloseSession(context.Context, string) error { return errFormer }

func (former) Commands(context.Context, string) ([]edr.Command, error) { return nil, errFormer }

// all are the configured servers and those of before.
func (f *Fleet) all() []*Member {
	return append(f.cfg.Members[:len(f.cfg.Members):len(f.cfg.Members)], f.cfg.Former...)
}

// with is the server of a job, also one of before; nil: never heard of.
func (f *Fleet) with(server string) *Member {
	if m := f.byName[server]; m != nil {
		return m
	}
	for _, m := range f.cfg.Former {
		if m.Name == server {
			return m
		}
	}
	return nil
}

// FormerChecks names the former servers that have jobs left.
func (f *Fleet) FormerChecks() (all []health.Check) {
	for _, m := range f.cfg.Former {
		left := 0
		for state, n := range m.Scheduler.Stats().Jobs {
			if !jobs.State(state).Terminal() {
				left += n
			}
		}
		if left > 0 {
			all = append(all, health.Bad("edr/"+m.Name, health.Degraded, "configure the server again under its name, or cancel its jobs: pipeline jobs list --state live",
				"%d jobs are of the server %s, which is not configured any more: they wait", left, m.Name))
		}
	}
	return all
}
