// Package references resolves what rules and guards name outside of their files:
// scripts, secrets, people, rule files, and what the EDR server has to support. A name
// that leads nowhere would otherwise be found out in the incident.
package references

import (
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"edrpipe/internal/nearest"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/strictyaml"
	"edrpipe/rules"
)

// World is what there is to be named.
type World struct {
	Scripts     fs.FS                      // files that rules may put on endpoints; nil: none are configured
	Secret      func(name string) error    // nil where the secret can be read
	Secrets     []string                   // names, for suggestions
	Bound       func(name string) []string // hosts that a secret may go to; nil: any
	People      []string                   // names and groups of the users; nil: not known, as with people from elsewhere
	Supports    func(power edr.Power) bool // of any configured server; nil: not known
	GuardsFile  string
	GuardedRoot string // directory that the paths of rules in the guards file are relative to
}

// Check lists the names in rules and guards that lead nowhere.
func (w World) Check(set *rules.Set, policy *guard.Policy) strictyaml.Problems {
	c := &checker{world: w, set: set}
	for _, r := range set.Rules() {
		c.rule = r
		c.steps("steps", r.Steps)
		c.steps("on_failure", r.OnFailure)
	}
	if policy != nil && w.GuardsFile != "" {
		c.guards(policy)
	}
	return c.problems.Sort()
}

type checker struct {
	world    World
	set      *rules.Set
	rule     *rules.Rule
	problems strictyaml.Problems
}

func (c *checker) add(p strictyaml.Problem, hint string, warning bool) {
	p.Hint, p.Warning = hint, warning
	c.problems = append(c.problems, p)
}

func (c *checker) steps(path strictyaml.Path, steps []actions.Step) {
	for i, s := range steps {
		at := path.Index(i)
		c.steps(at.Key("parallel"), s.Parallel)
		if s.Approval != nil {
			for n, name := range s.Approval.From {
				from := at.Key("approval").Key("from").Index(n)
				c.person(name, func(message string) strictyaml.Problem { return c.rule.At(from, message) })
			}
		}
		if a, ok := actions.Lookup(s.Uses); ok {
			c.parameters(at.Key("with"), s, a)
			c.powers(at.Key("uses"), a.Spec())
		}
	}
}

// parameters resolves the parameters of a step that name something.
func (c *checker) parameters(path strictyaml.Path, s actions.Step, a actions.Action) {
	for _, f := range actions.Fields(a.Params()) {
		if f.Names == "" {
			continue
		}
		for key, name := range texts(path.Key(f.Name), s.With[f.Name]) {
			switch {
			case strings.Contains(name, "${{"):
			case f.Names == "script":
				c.script(key, name)
			case f.Names == "secret":
				c.secret(key, name)
			}
		}
	}
}

// texts are the texts in a parameter, by their places.
func texts(path strictyaml.Path, v any) map[strictyaml.Path]string {
	found := map[strictyaml.Path]string{}
	switch v := v.(type) {
	case string:
		found[path] = v
	case map[string]any:
		for key, item := range v {
			maps.Copy(found, texts(path.Key(key), item))
		}
	}
	return found
}

func (c *checker) script(path strictyaml.Path, name string) {
	if c.world.Scripts == nil {
		c.add(c.rule.At(path, fmt.Sprintf("there is no script %q: no directory of scripts is configured", name)), "set scripts in the configuration to the directory that holds it", false)
		return
	}
	if fi, err := fs.Stat(c.world.Scripts, name); err == nil && !fi.IsDir() {
		return
	}
	c.add(c.rule.At(path, fmt.Sprintf("there is no script %q", name)), thereIs(name, scriptNames(c.world.Scripts)), false)
}

func scriptNames(files fs.FS) []string {
	var names []string
	_ = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return nil
	})
	return names
}

// secret warns only: the secrets of the service may be in an environment that the
// check does not have.
func (c *checker) secret(path strictyaml.Path, name string) {
	if c.world.Secret == nil {
		return
	}
	if err := c.world.Secret(name); err != nil {
		c.add(c.rule.At(path, err.Error()), "the step fails unless the service has it; here, "+thereIs(name, c.world.Secrets), true)
	}
	if c.world.Bound != nil && len(c.world.Bound(name)) == 0 {
		c.add(c.rule.At(path, fmt.Sprintf("the secret %q may be sent to any host", name)), fmt.Sprintf("write secrets: {%s: {hosts: [HOST]}} into the configuration", name), true)
	}
}

func (c *checker) person(name string, place func(message string) strictyaml.Problem) {
	if c.world.People == nil || slices.Contains(c.world.People, name) {
		return
	}
	c.add(place(fmt.Sprintf("there is no user or group %q: the question could never be answered", name)), thereIs(name, c.world.People), false)
}

func (c *checker) powers(path strictyaml.Path, spec actions.Spec) {
	for _, p := range spec.Powers {
		if c.world.Supports != nil && !c.world.Supports(p) {
			c.add(c.rule.At(path, fmt.Sprintf("%s: no configured server supports %q", spec.Name, p)), "", false)
		}
	}
}

// guards resolves the people and the rule files that the guards file names.
func (c *checker) guards(p *guard.Policy) {
	for i, consent := range p.Approvals {
		for n, name := range consent.From {
			path := strictyaml.Path("approvals").Index(i).Key("from").Index(n)
			c.person(name, func(message string) strictyaml.Problem { return placeIn(c.world.GuardsFile, path, message) })
		}
	}
	var files []string
	for _, r := range c.set.Rules() {
		file, err := filepath.Rel(c.world.GuardedRoot, r.File)
		if err != nil {
			file = r.File
		}
		files = append(files, filepath.ToSlash(file))
	}
	for i, g := range p.Rules {
		c.pattern(strictyaml.Path("rules").Index(i).Key("path"), g.Path, files)
	}
	for i, window := range p.Hours {
		for n, pattern := range window.Rules {
			c.pattern(strictyaml.Path("hours").Index(i).Key("rules").Index(n), pattern, files)
		}
	}
}

func (c *checker) pattern(path strictyaml.Path, pattern string, files []string) {
	fits := func(file string) bool { return doublestar.MatchUnvalidated(pattern, file) }
	if pattern == "**" || len(files) == 0 || slices.ContainsFunc(files, fits) {
		return
	}
	slices.Sort(files)
	c.add(placeIn(c.world.GuardsFile, path, fmt.Sprintf("no rule file fits %q: this guards nothing", pattern)), "rule files are "+few(slices.Compact(files)), true)
}

// placeIn is a problem at a place of a file that has been read before.
func placeIn(name string, path strictyaml.Path, message string) strictyaml.Problem {
	if doc := strictyaml.First(name); doc != nil {
		return doc.At(path, message)
	}
	return strictyaml.Problem{File: name, Path: path, Message: message}
}

// thereIs says what was meant, or what there is.
func thereIs(name string, known []string) string {
	if near := nearest.Word(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(known) == 0 {
		return "there are none"
	}
	slices.Sort(known)
	return "there are " + few(known)
}

func few(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
