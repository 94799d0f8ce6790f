package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"edrpipe/internal/health"
	"edrpipe/pkg/jobs"
)

// Bounds of the check of jobs: what it is made of may be that old, and a rule fails
// repeatedly with that many failed jobs within the last hour.
const (
	jobsFresh  = time.Minute
	failsOften = 3
)

// JobEnded notes the end of a job on this replica: one without success is seen by the
// next check and the next list of what needs people.
func (c *Console) JobEnded(s jobs.State) {
	if s == jobs.Failed || s == jobs.Unknown {
		c.needs.late.Store(true)
	}
}

// JobsHealth checks what becomes of jobs: outcomes that are unknown until people resolve
// them, and rules whose jobs fail repeatedly.
func (c *Console) JobsHealth(ctx context.Context) health.Check {
	const name = "jobs"
	c.needs.mu.Lock()
	defer c.needs.mu.Unlock()
	fresh := jobsFresh
	if c.needs.late.Load() {
		fresh = needsFresh
	}
	if time.Since(c.needs.read) >= fresh {
		if err := c.readNeeds(ctx); err != nil {
			return health.Bad(name, health.Unknown, "see what the check of the bus says", "the jobs that ended cannot be read: %v", err)
		}
	}
	var text, cures []string
	if n := c.needs.unknown; n > 0 {
		text = append(text, plural(n, "job ended without a known outcome", "jobs ended without a known outcome"))
		cures = append(cures, "look at the endpoint, then pipeline jobs resolve JOB (pipeline jobs list --state unknown)")
	}
	for _, rule := range slices.SortedFunc(maps.Keys(c.needs.failed), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.needs.failed[b], c.needs.failed[a]), cmp.Compare(a, b))
	}) {
		if n := c.needs.failed[rule]; n >= failsOften && rule != "" && len(text) < failedRules {
			text = append(text, fmt.Sprintf("%d jobs of rule %s failed within the last hour, the last one: %s", n, rule, c.needs.why[rule]))
		}
	}
	if len(text) > len(cures) {
		cures = append(cures, "mend what the reason says, then pipeline jobs retry JOB (pipeline jobs list --state failed)")
	}
	if len(text) == 0 {
		return health.Good(name, "")
	}
	return health.Bad(name, health.Degraded, strings.Join(cures, "; "), strings.Join(text, "; "))
}

// ApprovalsHealth says how many jobs wait for people: that is ok, and has to be known.
func (c *Console) ApprovalsHealth() health.Check {
	check := health.Good("approvals", "")
	if n := c.Fleet.Stats().Jobs[jobs.Held]; n > 0 {
		check.Evidence = plural(n, "job waits for the answer of a person", "jobs wait for the answers of people")
		check.Cure = "pipeline jobs list --state held, then pipeline jobs approve JOB or pipeline jobs deny JOB"
	}
	return check
}
