package doctor

import (
	"context"
	"fmt"
	"os"
	"strings"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/guard"
	"edrpipe/rules"
)

// rules loads the rule files with their lists, and runs their tests.
func (d *Doctor) rules(ctx context.Context) {
	var paths []string
	for _, p := range d.Config.Rules {
		paths = append(paths, d.path(p))
	}
	set, err := rules.Load(paths...)
	if err != nil {
		d.failed("rules", firstLines(err.Error(), 3), "see all mistakes: pipeline rules check "+strings.Join(d.Config.Rules, " "))
		return
	}
	var broken []string
	tests := set.Source().Tests
	for _, t := range tests {
		if !t.Run(ctx, set).Passed() {
			broken = append(broken, t.Rule+"/"+t.Name)
		}
	}
	switch {
	case len(broken) > 0:
		d.degraded("rules", fmt.Sprintf("%d of %d tests fail: %s", len(broken), len(tests), firstLines(strings.Join(broken, "\n"), 3)), "pipeline rules test "+strings.Join(d.Config.Rules, " "))
	default:
		d.ok("rules", fmt.Sprintf("%d rules, %d tests pass", set.Len(), len(tests)))
	}
	d.scripts(set)
}

// scripts checks that the files which rules put on endpoints are there.
func (d *Doctor) scripts(set *rules.Set) {
	for _, r := range set.Rules() {
		for _, s := range append(append([]actions.Step{}, r.Steps...), r.OnFailure...) {
			name, ok := s.With["file"].(string)
			if s.Uses != "run" && s.Uses != "put_file" || !ok || strings.Contains(name, "${{") {
				continue
			}
			if d.Config.Files == "" {
				d.failed("rules", fmt.Sprintf("rule %s puts %s on endpoints, and scripts is not set", r.ID, name), "set scripts to the directory that holds it")
				return
			}
			if _, err := os.Stat(d.path(d.Config.Files) + "/" + name); err != nil {
				d.failed("rules", fmt.Sprintf("rule %s: %v", r.ID, err), "put the file there")
			}
		}
	}
}

// guards loads the guards file.
func (d *Doctor) guards() {
	name := d.Config.Guards
	if name == "" {
		d.degraded("guards", "there is no guards file: nothing bounds what rules do", "write one (docs/guards.md) and name it in guards")
		return
	}
	data, err := os.ReadFile(d.path(name))
	if err != nil {
		d.failed("guards", err.Error(), cureOf(err, "guards"))
		return
	}
	var known []guard.Action
	for _, a := range actions.All() {
		known = append(known, guard.Action{Name: a.Spec().Name, Destructive: a.Spec().Destructive})
	}
	p, err := guard.Load(d.path(name), data, known)
	if err != nil {
		d.failed("guards", firstLines(err.Error(), 3), "correct "+name)
		return
	}
	text := fmt.Sprintf("%d guards", len(p.Words()))
	if p.DryRun || d.Config.DryRun {
		d.degraded("guards", text+"; dry run: nothing acts", "remove dry_run when what is recorded is what you want done")
		return
	}
	d.ok("guards", text)
}

func firstLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > n {
		lines = append(lines[:n], fmt.Sprintf("… and %d lines more", len(lines)-n))
	}
	return strings.Join(lines, "\n")
}
