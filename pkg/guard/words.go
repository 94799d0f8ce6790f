package guard

import (
	"fmt"
	"strings"
	"time"
)

// Words describes the policy in sentences, for people.
func (p *Policy) Words() []string {
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if p.DryRun {
		say("Nothing acts: dry_run is set.")
	}
	for _, g := range p.Protected {
		say("%s: never %s%s where %s%s.", g.Name, or(g.Deny), g.words(), oneLine(g.Sensors), because(g.Why))
	}
	for _, r := range p.Rules {
		shadow := ""
		if r.Mode == "shadow" {
			shadow = ", recorded only"
		}
		say("Rules in %s may use %s%s.", r.Path, or(r.Allow), shadow)
	}
	for _, c := range p.Approvals {
		from := "anybody who may approve"
		if len(c.From) > 0 {
			from = or(c.From)
		}
		say("%s: %s needs the word of %d of %s%s%s.", c.Name, or(c.Actions), max(c.Require, 1), from, c.words(), where(c.Sensors))
	}
	for _, l := range p.Budgets {
		unit := "runs"
		if l.Sensors > 0 {
			unit = "sensors"
		}
		beyond := l.OnExceed
		if beyond == "" {
			beyond = "hold"
		}
		each := ""
		if l.Each == "server" || l.Each == "tenant" {
			each = " for each " + l.Each
		}
		say("%s: %s at most %d %s within %s%s%s%s, then %s.", l.Name, or(l.Actions), l.size(), unit, short(l.Per), each, l.words(), where(l.Where), beyond)
	}
	if b := p.Breaker; b.Failures > 0 {
		say("A rule with %d failed jobs within %s only records%s.", b.Failures, short(b.window()), until(b.ShadowFor))
	}
	if b := p.Breaker; b.Jobs > 0 {
		say("A rule with more than %d jobs within %s only records%s.", b.Jobs, short(b.window()), until(b.ShadowFor))
	}
	for _, w := range p.Hours {
		days, zone := "every day", "UTC"
		if len(w.Days) > 0 {
			days = strings.Join(w.Days, ", ")
		}
		if w.Zone != "" {
			zone = w.Zone
		}
		say("%s: %s only from %s to %s, %s, %s%s%s.", w.Name, or(w.Actions), w.From, w.To, days, zone, w.words(), where(w.Sensors))
	}
	return all
}

func or(list []string) string {
	if len(list) == 1 && list[0] == anything {
		return "any action"
	}
	return strings.Join(list, ", ")
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + oneLine(why)
}

func where(condition string) string {
	if condition == "" {
		return ""
	}
	return " where " + oneLine(condition)
}

func until(d time.Duration) string {
	if d == 0 {
		return " until somebody resets it"
	}
	return " for " + short(d)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// short is a duration as the file has it: 1h, not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
