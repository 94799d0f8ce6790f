//go:build linux && chaos

package chaos

import (
	"fmt"

	"edrpipe/pkg/jobs"
)

// waited reports the jobs on newcomers that were decided without their records, or that
// did not go on once those were told. Faults may do either: it is no part of check.
func (e evidence) waited() (out []string) {
	want := map[kind]jobs.State{late: jobs.Succeeded, spared: jobs.Skipped}
	for _, s := range e.log {
		j := e.records[s.job]
		switch {
		case !s.fresh || want[s.kind] == "":
		case j == nil:
			out = append(out, fmt.Sprintf("%s event %d on the newcomer %d of %s has no job %s", s.kind, s.pid, s.sensor, s.server, s.job))
		case !heldForFact(j):
			out = append(out, fmt.Sprintf("job %s of %s event %d on the newcomer %d of %s did not wait for its record\n%s", j.ID, s.kind, s.pid, s.sensor, s.server, life(j)))
		case j.State != want[s.kind]:
			out = append(out, fmt.Sprintf("job %s of %s event %d on the newcomer %d of %s is %s, want %s\n%s", j.ID, s.kind, s.pid, s.sensor, s.server, j.State, want[s.kind], life(j)))
		}
	}
	return out
}
