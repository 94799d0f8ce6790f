package guard

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"edrpipe/internal/nearest"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// Policy is a guards file. It is immutable once loaded.
type Policy struct {
	// DryRun switches all acting off, whatever else is said.
	DryRun    bool         `yaml:"dry_run"`
	Protected []Protection `yaml:"protected"`
	Rules     []PathRule   `yaml:"rules"` // the first that fits a rule's path counts
	Approvals []Consent    `yaml:"approvals"`
	Budgets   []Limit      `yaml:"budgets"`
	Breaker   Breaker      `yaml:"breaker"`
	Hours     []Window     `yaml:"hours"`
}

// Protection keeps actions away from sensors.
type Protection struct {
	Name    string   `yaml:"name,required"`
	Why     string   `yaml:"why"`
	Sensors string   `yaml:"sensors,required"` // condition
	Deny    []string `yaml:"deny,required" list:"one"`

	Scope `yaml:",inline"`

	match *expression.Program
}

// PathRule bounds what the rules of some files may do.
type PathRule struct {
	Path  string   `yaml:"path,required"` // with *, ? and ** for any directories
	Allow []string `yaml:"allow,required" list:"one"`
	Mode  string   `yaml:"mode" enum:"shadow,enforce"`
}

// Consent demands approvals before actions on some sensors.
type Consent struct {
	Name    string        `yaml:"name,required"`
	Actions []string      `yaml:"actions,required" list:"one"`
	Sensors string        `yaml:"sensors"`         // condition; empty: all
	From    []string      `yaml:"from" list:"one"` // people or groups; empty: every approver
	Require int           `yaml:"require" min:"1"` // how many different people; 0: 1
	Within  time.Duration `yaml:"within"`          // after that it is denied; 0: a day

	Scope `yaml:",inline"`

	match *expression.Program
}

// Limit bounds how much is done in a sliding window, over all rules and
// replicas. Exactly one of Sensors and Times is set.
type Limit struct {
	Name     string        `yaml:"name,required"`
	Actions  []string      `yaml:"actions,required" list:"one"`
	Sensors  int           `yaml:"sensors" min:"1" max:"10000"` // different sensors
	Times    int           `yaml:"times" min:"1" max:"10000"`   // runs of the action
	Per      time.Duration `yaml:"per,required"`
	OnExceed string        `yaml:"on_exceed" enum:"hold,deny,shadow"` // empty: hold
	Each     string        `yaml:"each" enum:"server,tenant,all"`     // what has a budget of its own; empty: all share one
	Where    string        `yaml:"where"`                             // condition on the sensor; empty: all

	Scope `yaml:",inline"`

	match *expression.Program
}

// Breaker puts a rule into shadow mode that misbehaves. Zero: no breaker.
type Breaker struct {
	Failures  int           `yaml:"failures" min:"1" max:"1000"` // failed jobs of one rule within Per
	Jobs      int           `yaml:"jobs" min:"1"`                // jobs of one rule within Per, on one replica
	Usual     float64       `yaml:"usual" min:"1"`               // a rule may have this many times its usual number instead, where that is more than Jobs
	Per       time.Duration `yaml:"per"`                         // 0: 10m
	ShadowFor time.Duration `yaml:"shadow_for"`                  // 0: until a person resets it
}

// Window allows actions only at some hours.
type Window struct {
	Name      string   `yaml:"name,required"`
	Actions   []string `yaml:"actions,required" list:"one"`
	Rules     []string `yaml:"rules" list:"one"` // paths as in PathRule; empty: all rules
	Days      []string `yaml:"days" list:"one"`  // mon to sun; empty: all
	From      string   `yaml:"from,required"`    // 08:00
	To        string   `yaml:"to,required"`      // 18:00; at or before From: the next day
	Zone      string   `yaml:"timezone"`         // Europe/Berlin; empty: UTC
	Otherwise string   `yaml:"otherwise" enum:"hold,deny"`
	Sensors   string   `yaml:"sensors"` // condition; empty: all

	Scope `yaml:",inline"`

	span  span
	match *expression.Program
}

// An Action is what a guards file may name.
type Action struct {
	Name        string
	Destructive bool
}

// Load reads a guards file. Every name of an action must be one of known: a
// misspelt guard would guard nothing. The error is of type strictyaml.Problems.
func Load(name string, data []byte, known []Action) (*Policy, error) {
	p := &Policy{}
	doc, err := strictyaml.Decode(name, data, p)
	if doc == nil {
		return nil, err
	}
	c := checker{doc: doc, known: known, names: map[string]bool{}}
	errors.As(err, &c.problems)
	c.policy(p)
	if err := c.problems.Sort().Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// checker does what decoding cannot: expressions, names, patterns, clock times.
type checker struct {
	doc      *strictyaml.Document
	known    []Action
	names    map[string]bool
	problems strictyaml.Problems
}

func (c *checker) add(p strictyaml.Problem, hint string) {
	p.Hint = hint
	c.problems = append(c.problems, p)
}

func (c *checker) policy(p *Policy) {
	for i := range p.Protected {
		at, g := strictyaml.Path("protected").Index(i), &p.Protected[i]
		c.name(at, g.Name)
		c.actions(at.Key("deny"), g.Deny)
		c.scope(at, g.Scope)
		g.match = c.condition(at.Key("sensors"), g.Sensors)
	}
	for i, g := range p.Rules {
		at := strictyaml.Path("rules").Index(i)
		c.pattern(at.Key("path"), g.Path)
		c.actions(at.Key("allow"), g.Allow)
	}
	for i := range p.Approvals {
		at, g := strictyaml.Path("approvals").Index(i), &p.Approvals[i]
		c.name(at, g.Name)
		c.actions(at.Key("actions"), g.Actions)
		g.match = c.condition(at.Key("sensors"), g.Sensors)
		c.scope(at, g.Scope)
	}
	for i := range p.Budgets {
		at, g := strictyaml.Path("budgets").Index(i), &p.Budgets[i]
		g.match = c.condition(at.Key("where"), g.Where)
		c.scope(at, g.Scope)
		c.name(at, g.Name)
		c.actions(at.Key("actions"), g.Actions)
		if (g.Sensors == 0) == (g.Times == 0) {
			c.add(c.doc.At(at, "a budget counts either sensors or times"), "give one of them")
		}
		if g.Per <= 0 {
			c.add(c.doc.At(at.Key("per"), "the window must be longer than 0"), "")
		}
	}
	for i := range p.Hours {
		c.window(strictyaml.Path("hours").Index(i), &p.Hours[i])
	}
	if p.Breaker != (Breaker{}) && p.Breaker.Failures == 0 && p.Breaker.Jobs == 0 {
		c.add(c.doc.At("breaker", "the breaker never opens"), "give failures or jobs")
	}
}

// name checks the name of a guard: it is shown to people, and part of a key.
func (c *checker) name(at strictyaml.Path, name string) {
	switch {
	case name == "":
		return // reported as missing
	case !validName(name):
		c.add(c.doc.At(at.Key("name"), fmt.Sprintf("%q cannot be the name of a guard", name)), "lower-case letters, digits and -")
	case c.names[name]:
		c.add(c.doc.At(at.Key("name"), fmt.Sprintf("the name %q is taken", name)), "")
	}
	c.names[name] = true
}

func validName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// actions checks a list of actions: names, patterns, or a class of them.
func (c *checker) actions(at strictyaml.Path, list []string) {
	names := make([]string, len(c.known))
	for i, a := range c.known {
		names[i] = a.Name
	}
	for i, entry := range list {
		if entry == anything || entry == destructive || slices.ContainsFunc(names, func(n string) bool { return fits(entry, n) }) {
			continue
		}
		hint := `name an action, a pattern that fits some, "destructive" or "*"`
		if near := nearest.Word(entry, names); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		c.add(c.doc.At(at.Index(i), fmt.Sprintf("there is no action %q", entry)), hint)
	}
}

func (c *checker) pattern(at strictyaml.Path, pattern string) {
	if pattern != "" && !doublestar.ValidatePattern(pattern) {
		c.add(c.doc.At(at, fmt.Sprintf("%q is not a pattern", pattern)), "write something like community/**")
	}
}

func (c *checker) condition(at strictyaml.Path, source string) *expression.Program {
	if source == "" {
		return nil
	}
	program, err := scope.Condition(source)
	var mistakes expression.Errors
	if errors.As(err, &mistakes) {
		for _, m := range mistakes {
			c.add(c.doc.Within(at, m.Offset, m.Length, m.Message), m.Hint)
		}
	}
	return program
}

func (c *checker) window(at strictyaml.Path, w *Window) {
	c.name(at, w.Name)
	c.actions(at.Key("actions"), w.Actions)
	for i, pattern := range w.Rules {
		c.pattern(at.Key("rules").Index(i), pattern)
	}
	w.match = c.condition(at.Key("sensors"), w.Sensors)
	c.scope(at, w.Scope)
	for key, err := range w.compile() {
		c.add(c.doc.At(at.Key(key), err.Error()), "")
	}
}

// Classes of actions that lists may name.
const (
	anything    = "*"
	destructive = "destructive"
)

// lists reports whether a list of actions contains the given one.
func lists(list []string, a admission.Request) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		return entry == anything || entry == destructive && a.Destructive || fits(entry, a.Action)
	})
}

func fits(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// underPath reports whether a rule's file is one that a pattern means.
func underPath(pattern, file string) bool {
	return file != "" && doublestar.MatchUnvalidated(pattern, file)
}
