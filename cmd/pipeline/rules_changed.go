package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"

	"edrpipe/rules"
)

// changedRules are the ids of the rules that differ from a commit of git: those whose
// text, with the tests beside it, is another or new, and those of changed *_test.yaml.
func changedRules(ctx context.Context, since string, paths []string) (map[string]bool, error) {
	files, err := rules.Paths(true, paths...)
	if err != nil {
		return nil, fmt.Errorf("--changed: %w", err)
	}
	changed := map[string]bool{}
	for _, file := range files {
		now, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		then, err := committed(ctx, since, file)
		if err != nil {
			return nil, err
		}
		before, after := partsOfRules(then), partsOfRules(now)
		for id, text := range after {
			changed[id] = changed[id] || before[id] != text
		}
		for id, text := range before { // tests that are gone show less of their rule
			changed[id] = changed[id] || after[id] != text
		}
	}
	return changed, nil
}

// committed is a file as a commit has it; nothing where the commit has no such file.
func committed(ctx context.Context, commit, file string) ([]byte, error) {
	git := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", filepath.Dir(file)}, args...)...)
		var problems bytes.Buffer
		cmd.Stderr = &problems
		out, err := cmd.Output()
		if err != nil {
			err = errors.Join(err, errors.New(strings.TrimSpace(problems.String())))
		}
		return out, err
	}
	if _, err := git("rev-parse", "--verify", "--quiet", "--end-of-options", commit+"^{commit}"); err != nil {
		return nil, fmt.Errorf("--changed: %q is no commit of the repository of %s: %w", commit, file, err)
	}
	name := "./" + filepath.Base(file)
	listed, err := git("ls-tree", "--name-only", commit, name)
	if err != nil {
		return nil, fmt.Errorf("--changed: files of %q: %w", commit, err)
	}
	if len(listed) == 0 {
		return nil, nil
	}
	text, err := git("show", commit+":"+name)
	if err != nil {
		return nil, fmt.Errorf("--changed: %s as of %q: %w", file, commit, err)
	}
	return text, nil
}

// partsOfRules is the text of each rule, and of the tests of each, in a file. What is no
// YAML has none: then all that stands in the newer file is changed.
func partsOfRules(text []byte) map[string]string {
	parts := map[string]string{}
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var doc struct {
			Rules []yaml.Node `yaml:"rules"`
			Tests []yaml.Node `yaml:"tests"`
		}
		if d.Decode(&doc) != nil {
			return parts
		}
		for _, n := range append(doc.Rules, doc.Tests...) {
			var named struct {
				ID   string `yaml:"id"`
				Rule string `yaml:"rule"`
			}
			if n.Decode(&named) != nil {
				continue
			}
			if out, err := yaml.Marshal(&n); err == nil {
				parts[named.ID+named.Rule] += string(out)
			}
		}
	}
}
