package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/guard"
	"edrpipe/rules"
)

// replayedGuard asks the guards of a file about steps that would run, at the
// time of a replay and with budgets of its own.
type replayedGuard struct {
	guard *guard.Guard
	now   time.Time
	root  string // directory of the rules, to which paths in the file are relative
}

// loadGuarded loads rules and the guards file that is asked about them, or prints
// every problem.
func loadGuarded(stderr io.Writer, paths []string, guards string) (*rules.Set, *replayedGuard, error) {
	set, _, err := loadRules(stderr, paths)
	if err != nil {
		return nil, nil, err
	}
	g, err := loadGuards(guards, rootOf(paths))
	if err != nil {
		return nil, nil, printed(stderr, err)
	}
	return set, g, nil
}

// rootOf is the directory that the paths of rules in a guards file are relative
// to: the one that was named.
func rootOf(paths []string) string {
	root := paths[0]
	if filepath.Ext(root) != "" {
		root = filepath.Dir(root)
	}
	return root
}

// loadGuards reads a guards file; without one nothing is guarded.
func loadGuards(file, root string) (*replayedGuard, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	policy, err := guard.Load(file, data, guardedActions())
	if err != nil {
		return nil, err
	}
	g := &replayedGuard{root: root}
	g.guard = guard.New(guard.Config{Policy: policy, Now: func() time.Time { return g.now }})
	return g, nil
}

// guardedActions are the actions that a guards file may name.
func guardedActions() []guard.Action {
	var known []guard.Action
	for _, a := range actions.All() {
		known = append(known, guard.Action{Name: a.Spec().Name, Destructive: a.Spec().Destructive})
	}
	return known
}

// admit answers as the guards would; an empty decision allows.
func (g *replayedGuard) admit(ctx context.Context, p rules.Planned) (decision, reason string) {
	if g == nil {
		return "", ""
	}
	g.now = p.Decision.At
	r, e := p.Decision.Rule, p.Decision.Match.Event
	path, err := filepath.Rel(g.root, r.File)
	if err != nil {
		path = r.File
	}
	v := g.guard.Admit(ctx, admission.Request{
		Job: fmt.Sprintf("%s %s %s", r.ID, e.Event.ID, p.Decision.Endpoint), Step: p.Ran.Step,
		Rule: r.ID, RulePath: filepath.ToSlash(path), Submitter: "rule", Shadow: r.Mode == rules.Shadow,
		Action: p.Ran.Uses, Destructive: p.Action.Destructive, Args: p.Ran.Args,
		Sensor: edr.Sensor{ID: p.Decision.Endpoint.ID, Hostname: e.Sensor.Hostname, Group: e.Sensor.Group, OS: edr.OS(e.Sensor.OS)},
		Event:  e,
	})
	reason = string(v.Reason)
	if v.Guard != "" {
		reason += " (" + v.Guard + ")"
	}
	return string(v.Decision), reason
}
