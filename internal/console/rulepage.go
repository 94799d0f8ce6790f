package console

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"edrpipe/internal/notices"
	"edrpipe/internal/web"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// The page of a rule counts its matches of a day by the half hour.
const (
	ruleStep  = 30 * time.Minute
	ruleSteps = int(lately / ruleStep)
)

// decisionsShown is how many matches that became no job are listed with their reason.
const decisionsShown = 50

// mostRuleText bounds the text of a rule that is shown.
const mostRuleText = 64 << 10

// RulePage is a rule in force with what it did.
func (c *Console) RulePage(ctx context.Context, id string) (web.RulePage, error) {
	set := c.Rules.Live.Set()
	compiled, ok := set.Rule(id)
	if !ok {
		return web.RulePage{}, fmt.Errorf("%w: there is no rule %q", web.ErrNotFound, id)
	}
	r := compiled.Rule
	list, err := c.RulesPage(ctx)
	if err != nil {
		return web.RulePage{}, err
	}
	page := web.RulePage{
		Description: r.Description, Author: r.Author, References: r.References, FalsePositives: r.FalsePositives, Suppression: suppression(r),
		Warnings: []string{}, Tests: []web.RuleTest{}, Step: int(ruleStep.Seconds()), Since: c.Now().Add(-lately),
		Acted: make([]float64, ruleSteps), Left: make([]float64, ruleSteps), Decisions: []web.Decision{},
	}
	for _, l := range list.Rules {
		if l.ID == id {
			page.RuleLine = l
		}
	}
	page.Text, page.TextProblem = c.ruleText(r)
	for _, p := range set.Source().Warnings {
		if p.File == r.File && p.Line >= r.Line && (p.Line < endOf(set, r) || endOf(set, r) == 0) {
			page.Warnings = append(page.Warnings, strings.TrimSpace(p.Message+" "+p.Hint))
		}
	}
	page.Tests = c.testsOf(set, id)
	if page.Silences, err = c.silences(ctx, func(s web.Silence) bool { return s.Rule == id }); err != nil {
		return page, err
	}
	return page, c.ruleHistory(ctx, &page)
}

// ruleHistory adds what the rule's matches became.
func (c *Console) ruleHistory(ctx context.Context, page *web.RulePage) error {
	var err error
	if page.Jobs, err = c.jobLines(ctx, jobs.Query{Rule: page.ID, Since: page.Since}); err != nil {
		return err
	}
	count := func(in []float64, at time.Time) {
		if n := int(at.Sub(page.Since) / ruleStep); !at.Before(page.Since) && n < len(in) {
			in[n]++
		}
	}
	for _, j := range page.Jobs {
		count(page.Acted, j.Created)
	}
	err = c.decisions(ctx, page.Since, func(d notices.Decision) {
		if d.Rule == page.ID {
			count(page.Left, d.At)
			page.Decisions = append(page.Decisions, decisionOf(d))
		}
	})
	slices.Reverse(page.Decisions)
	page.Decisions = pageOf(page.Decisions, 0, decisionsShown)
	return err
}

func decisionOf(d notices.Decision) web.Decision {
	return web.Decision{At: d.At, Event: d.Event, Rule: d.Rule, Server: d.Server, Sensor: d.Sensor, Host: d.Host, Reason: d.Reason, Detail: d.Detail}
}

// suppression says how often a rule acts for one thing.
func suppression(r *rules.Rule) string {
	s := r.Suppress
	if s == nil {
		return fmt.Sprintf("once in %v for the same thing on the same endpoint, as every rule that does not say otherwise", rules.DefaultSuppression)
	}
	if s.For == 0 {
		return "nothing is suppressed"
	}
	key := "the same thing on the same endpoint"
	if len(s.Key) > 0 {
		key = "the same " + strings.Join(s.Key, ", ")
	}
	return fmt.Sprintf("%s in %v for %s", plural(max(s.Count, 1), "time", "times"), s.For, key)
}

// endOf is the line on which the next rule of the same file begins; 0: there is none.
func endOf(set *rules.Set, r *rules.Rule) int {
	end := 0
	for _, other := range set.Rules() {
		if other.File == r.File && other.Line > r.Line && (end == 0 || other.Line < end) {
			end = other.Line
		}
	}
	return end
}

// ruleText is a rule's part of its file.
func (c *Console) ruleText(r *rules.Rule) (text, problem string) {
	info, err := os.Stat(r.File)
	var whole []byte
	if err == nil {
		whole, err = os.ReadFile(r.File)
	}
	if err != nil {
		return "", "its file cannot be read: " + err.Error()
	}
	if info.ModTime().After(c.Rules.Live.State().Loaded) {
		problem = "the file was changed after the rule in force was loaded"
	}
	lines := strings.Split(string(whole), "\n")
	end := cmp.Or(endOf(c.Rules.Live.Set(), r)-1, len(lines))
	if end < 0 {
		end = len(lines)
	}
	part := strings.Join(lines[min(max(r.Line-1, 0), len(lines)):min(end, len(lines))], "\n")
	return strings.TrimRight(part[:min(len(part), mostRuleText)], " \n"), problem
}

// testsOf lists the tests of a rule, beside it and in files of their own.
func (c *Console) testsOf(set *rules.Set, id string) []web.RuleTest {
	tests := set.Source().Tests
	if more, err := set.LoadTests(c.Rules.Roots()...); err == nil { // files with mistakes: rules check names them
		tests = append(slices.Clone(tests), more...)
	}
	found := []web.RuleTest{}
	for _, t := range tests {
		if t.Rule == id {
			found = append(found, web.RuleTest{Name: t.Name, File: t.File, Line: t.Line})
		}
	}
	return found
}
