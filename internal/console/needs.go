package console

import (
	"context"
	"fmt"
	"sync"
	"time"

	"edrpipe/internal/health"
	"edrpipe/internal/web"
	"edrpipe/pkg/jobs"
)

// needsFresh is how long the list of what needs a person is kept: every open page
// reads it again and again, and it reads many records.
const needsFresh = 5 * time.Second

// unknownBack is how far back jobs are listed whose outcome is unknown.
const unknownBack = 7 * 24 * time.Hour

// needsList keeps what costs much to find.
type needsList struct {
	mu   sync.Mutex
	read time.Time
	list []web.Need
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
	for _, k := range o.Checks {
		if k.State == health.Failed || k.State == health.Unknown && k.Needed {
			add("check", "#/", "%s: %s: %s. %s", k.Name, k.State, k.Evidence, k.Cure)
		}
	}
	if o.Approvals > 0 {
		add("approval", "#/approvals", "%s", plural(o.Approvals, "approval waits", "approvals wait"))
	}
	if o.RulesError != "" {
		add("rules", "#/rules", "the newest rule files have mistakes and are not in force")
	}
	costly, err := c.costlyNeeds(ctx)
	return append(list, costly...), err
}

// costlyNeeds are unknown outcomes and open breakers.
func (c *Console) costlyNeeds(ctx context.Context) ([]web.Need, error) {
	c.needs.mu.Lock()
	defer c.needs.mu.Unlock()
	if time.Since(c.needs.read) < needsFresh {
		return c.needs.list, nil
	}
	list := []web.Need{}
	unknown, err := c.unresolved(ctx)
	if err != nil {
		return nil, err
	}
	if unknown > 0 {
		list = append(list, web.Need{Kind: "unknown", Link: "#/jobs?state=unknown&days=7", Text: plural(unknown, "job ended without a known outcome: look at its endpoint, and resolve it", "jobs ended without a known outcome: look at their endpoints, and resolve them")})
	}
	for _, r := range c.Rules.Live.Set().Rules() {
		open, _, err := c.Guard.Open(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		if open != nil {
			list = append(list, web.Need{Kind: "breaker", Link: "#/rules", Text: fmt.Sprintf("the breaker of rule %s is open (%s): it records and does not act", r.ID, open.Why)})
		}
	}
	c.needs.list, c.needs.read = list, time.Now()
	return list, nil
}

// unresolved counts the jobs whose outcome is unknown and for which no other job goes
// on.
func (c *Console) unresolved(ctx context.Context) (int, error) {
	found, err := c.Fleet.List(ctx, jobs.Query{Since: c.Now().Add(-unknownBack), States: jobs.EndedStates()})
	if err != nil {
		return 0, err
	}
	resolved := map[string]bool{}
	for _, j := range found {
		resolved[j.Of] = true
	}
	n := 0
	for _, j := range found {
		if j.State == jobs.Unknown && !resolved[j.ID] {
			n++
		}
	}
	return n, nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
