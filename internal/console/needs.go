package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"edrpipe/internal/health"
	"edrpipe/internal/web"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

// needsFresh is how long the list of what needs a person is kept: every open page
// reads it again and again, and it reads many records.
const needsFresh = 5 * time.Second

// unknownBack is how far back jobs are listed whose outcome is unknown.
const unknownBack = 7 * 24 * time.Hour

// failedBack is how far back jobs are listed that failed, failedRules of how many rules
// each is named.
const (
	failedBack  = time.Hour
	failedRules = 10
)

// needElsewhere are the checks whose trouble is a need of its own kind, and the dry run,
// which the page shows by itself.
var needElsewhere = []string{"stop", "dry_run", "rules", "breakers", "jobs"}

// needsList keeps what costs much to find. mu guards all but late.
type needsList struct {
	mu      sync.Mutex
	read    time.Time
	list    []web.Need
	unknown int               // jobs whose outcome is unknown
	failed  map[string]int    // lately, by rule; "": submitted by people
	why     map[string]string // the reason of the last of them

	late atomic.Bool // jobs of this replica ended without success since it was read
}

// forget has the list found anew by the next question.
func (n *needsList) forget() {
	n.mu.Lock()
	n.read = time.Time{}
	n.mu.Unlock()
}

// Needs lists what a person has to look at, the most urgent first.
func (c *Console) Needs(ctx context.Context, o web.Overview) ([]web.Need, error) {
	list := []web.Need{}
	add := func(kind, link, format string, args ...any) {
		list = append(list, web.Need{Kind: kind, Link: link, Text: fmt.Sprintf(format, args...)})
	}
	if o.Stopped != nil {
		add("stop", "#/guards", "%s stopped everything: nothing new starts until somebody resumes it", o.Stopped.By)
	}
	for _, s := range o.Stops {
		add("stop", "#/guards", "%s stopped %s: nothing new starts there until somebody resumes it", s.By, guard.Area{Server: s.Server, Tenant: s.Tenant})
	}
	for _, k := range o.Checks {
		if k.State == health.Failed || k.State == health.Unknown && k.Needed {
			add("check", "#/connection", "%s: %s: %s. %s", k.Name, k.State, k.Evidence, k.Cure)
		}
	}
	for _, k := range o.Checks {
		if k.State == health.Degraded && !slices.Contains(needElsewhere, k.Name) {
			list = append(list, web.Need{Kind: "degraded", Of: k.Name, Link: "#/", Text: fmt.Sprintf("%s works less than it should: %s. %s", k.Name, k.Evidence, k.Cure)})
		}
	}
	if o.Approvals > 0 {
		add("approval", "#/approvals", "%s", plural(o.Approvals, "approval waits", "approvals wait"))
	}
	if o.RulesError != "" {
		add("rules", "#/rules", "the newest rule files have mistakes and are not in force: %s", shorten(o.RulesError, 300))
	}
	costly, err := c.costlyNeeds(ctx)
	return append(list, costly...), err
}

// costlyNeeds are unknown outcomes, failed jobs and open breakers.
func (c *Console) costlyNeeds(ctx context.Context) ([]web.Need, error) {
	c.needs.mu.Lock()
	defer c.needs.mu.Unlock()
	if time.Since(c.needs.read) < needsFresh {
		return c.needs.list, nil
	}
	if err := c.readNeeds(ctx); err != nil {
		return nil, err
	}
	return c.needs.list, nil
}

// readNeeds reads them again from the store; c.needs.mu is held.
func (c *Console) readNeeds(ctx context.Context) error {
	c.needs.late.Store(false)
	list := []web.Need{}
	unknown, failed, why, err := c.unresolved(ctx)
	if err != nil {
		return err
	}
	list = append(list, failedNeeds(failed)...)
	if unknown > 0 {
		list = append(list, web.Need{Kind: "unknown", Link: "#/jobs?state=unknown&days=7", Text: plural(unknown, "job ended without a known outcome: look at its endpoint, and resolve it", "jobs ended without a known outcome: look at their endpoints, and resolve them")})
	}
	for _, r := range c.Rules.Live.Set().Rules() {
		open, _, err := c.Guard.Open(ctx, r.ID)
		if err != nil {
			return err
		}
		if open != nil {
			list = append(list, web.Need{Kind: "breaker", Link: "#/rules", Text: fmt.Sprintf("the breaker of rule %s is open (%s): it records and does not act", r.ID, open.Why)})
		}
	}
	c.Metrics.Unresolved.Set(float64(unknown))
	c.needs.list, c.needs.read, c.needs.unknown, c.needs.failed, c.needs.why = list, time.Now(), unknown, failed, why
	return nil
}

// unresolved are the jobs for which no other job goes on: how many have an outcome that
// is unknown, and how many failed lately by who wanted them, with the reason of the last.
func (c *Console) unresolved(ctx context.Context) (unknown int, failed map[string]int, why map[string]string, err error) {
	open := map[string]unresolvedJob{}
	goneOn := map[string]bool{}
	recently := c.Now().Add(-failedBack)
	err = c.Fleet.Each(ctx, jobs.Query{Since: c.Now().Add(-unknownBack), States: jobs.EndedStates()}, func(j *jobs.Job) {
		if j.Of != "" {
			goneOn[j.Of] = true
		}
		if j.State == jobs.Unknown || j.State == jobs.Failed && j.Ended.After(recently) {
			open[j.ID] = unresolvedJob{j.State == jobs.Unknown, j.Rule, strings.TrimSpace(string(j.Reason) + " " + j.Detail), j.Created}
		}
	}, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	_, settled, _, err := c.readSettled(ctx)
	if err != nil {
		return 0, nil, nil, err
	}
	failed, why = map[string]int{}, map[string]string{}
	last := map[string]time.Time{}
	for id, j := range open {
		_, decided := settled[id]
		switch {
		case decided || goneOn[id]:
		case j.unknown:
			unknown++
		default:
			failed[j.rule]++
			if !j.created.Before(last[j.rule]) {
				why[j.rule], last[j.rule] = j.why, j.created
			}
		}
	}
	return unknown, failed, why, nil
}

// unresolvedJob is what is held of a job that may need a person.
type unresolvedJob struct {
	unknown   bool
	rule, why string
	created   time.Time
}

// failedNeeds are a need for each rule whose jobs failed, those with most failures first.
func failedNeeds(failed map[string]int) []web.Need {
	list := []web.Need{}
	others := 0
	names := slices.SortedFunc(maps.Keys(failed), func(a, b string) int { return cmp.Or(cmp.Compare(failed[b], failed[a]), cmp.Compare(a, b)) })
	for i, rule := range names {
		if i >= failedRules {
			others += failed[rule]
			continue
		}
		whose, link := "of rule "+rule, "#/jobs?state=failed&days=1&rule="+url.QueryEscape(rule)
		if rule == "" {
			whose, link = "that people submitted", "#/jobs?state=failed&days=1"
		}
		list = append(list, web.Need{Kind: "failed", Of: rule, Link: link, Text: fmt.Sprintf("%s %s failed within the last hour: see why, and run again what is still wanted", plural(failed[rule], "job", "jobs"), whose)})
	}
	if others > 0 {
		list = append(list, web.Need{Kind: "failed", Of: "*", Link: "#/jobs?state=failed&days=1", Text: fmt.Sprintf("%s of %d other rules failed within the last hour", plural(others, "job", "jobs"), len(names)-failedRules)})
	}
	return list
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
