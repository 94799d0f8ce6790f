package lsp

import (
	"regexp"
	"strings"
)

// outline is what a file defines, as far as its lines show it.
type outline struct {
	rules []ruleBlock
}

// place is a word in a file.
type place struct {
	word           string
	line, from, to int // line from 0; bytes
}

// ruleBlock is a rule, or a test of a *_test.yaml file.
type ruleBlock struct {
	id          place
	first, last int // lines from 0
	on          []string
	vars        []place
	steps       []stepBlock
	names       []place // of other rules, or of the rule tested
}

// stepBlock is a step that has an action.
type stepBlock struct {
	id   place
	uses string
	line int
}

var (
	itemLine = regexp.MustCompile(`^(\s*)- `)
	pairText = regexp.MustCompile(`([A-Za-z_][\w-]*):\s+("[^"]*"|'[^']*'|[^\s,{}\[\]#"'][^,{}\[\]#]*|\[[^\]]*\])`)
	wordText = regexp.MustCompile(`[\w.*-]+`)
)

// outlineOf reads the rules of a file by their lines: items at the smallest
// indentation below rules: or tests:.
func outlineOf(t *text) *outline {
	o := &outline{}
	column := -1
	for n, line := range t.lines {
		if m := itemLine.FindStringSubmatch(line); m != nil && (column < 0 || len(m[1]) <= column) {
			column = len(m[1])
			o.begin(n)
		}
		if len(o.rules) == 0 || strings.TrimSpace(line) == "" {
			continue
		}
		r := &o.rules[len(o.rules)-1]
		r.last = n
		r.read(n, line, column+2)
	}
	return o
}

func (o *outline) begin(line int) {
	o.rules = append(o.rules, ruleBlock{first: line, last: line})
}

// read notes what a line of the rule defines; own is the column of the rule's keys.
func (r *ruleBlock) read(n int, line string, own int) {
	indent := len(line) - len(strings.TrimLeft(line, " -"))
	top := indent == own
	for _, m := range pairText.FindAllStringSubmatchIndex(line, -1) {
		key := line[m[2]:m[3]]
		p := unquoted(line, n, m[4], m[5])
		switch {
		case top && m[2] == indent && key == "id":
			r.id = p
		case top && m[2] == indent && (key == "on" || key == "event"):
			r.on = wordText.FindAllString(line[m[4]:m[5]], -1)
		case key == "rule" && top && m[2] == indent:
			r.names = append(r.names, p)
		case key == "rules":
			for _, w := range wordText.FindAllStringIndex(line[m[4]:m[5]], -1) {
				r.names = append(r.names, place{line[m[4]+w[0] : m[4]+w[1]], n, m[4] + w[0], m[4] + w[1]})
			}
		case key == "id":
			r.stepID(n, p)
		case key == "uses":
			r.stepUses(n, p.word)
		}
	}
	r.readVars(n, line, own)
}

// stepID and stepUses join the two keys of a step, which come in either order and
// stand on neighbouring lines or on one.
func (r *ruleBlock) stepID(n int, p place) {
	if k := len(r.steps); k > 0 && r.steps[k-1].id.word == "" && n-r.steps[k-1].line <= 1 && r.steps[k-1].line != n {
		r.steps[k-1].id = p
		return
	}
	r.steps = append(r.steps, stepBlock{id: p, line: n})
}

func (r *ruleBlock) stepUses(n int, action string) {
	if k := len(r.steps); k > 0 && r.steps[k-1].uses == "" && n-r.steps[k-1].line <= 3 {
		r.steps[k-1].uses = action
		return
	}
	r.steps = append(r.steps, stepBlock{uses: action, line: n})
}

var (
	flowVars  = regexp.MustCompile(`^vars:\s*\{(.*)$`)
	varName   = regexp.MustCompile(`([A-Za-z_]\w*):\s`)
	blockPair = regexp.MustCompile(`^([A-Za-z_]\w*):\s`)
)

func (r *ruleBlock) readVars(n int, line string, own int) {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	rest := line[min(indent, len(line)):]
	if indent == own {
		r.vars = r.withoutOpen()
		if m := flowVars.FindStringSubmatchIndex(rest); m != nil {
			if v := varName.FindStringSubmatchIndex(rest[m[2]:]); v != nil {
				at := indent + m[2]
				r.vars = append(r.vars, place{line[at+v[2] : at+v[3]], n, at + v[2], at + v[3]})
			}
		} else if strings.TrimSpace(rest) == "vars:" {
			r.vars = append(r.vars, place{line: n, from: -1})
		}
		return
	}
	if k := len(r.vars); k > 0 && r.vars[k-1].from == -1 && indent == own+2 {
		if m := blockPair.FindStringSubmatchIndex(rest); m != nil {
			open := r.vars[k-1]
			r.vars[k-1] = place{rest[m[2]:m[3]], n, indent + m[2], indent + m[3]}
			r.vars = append(r.vars, open)
		}
	}
}

// withoutOpen are the variables without the mark that more may follow.
func (r *ruleBlock) withoutOpen() []place {
	if k := len(r.vars); k > 0 && r.vars[k-1].from == -1 {
		return r.vars[:k-1]
	}
	return r.vars
}

// unquoted is the place of a value without quotes and blanks.
func unquoted(line string, n, from, to int) place {
	for to > from && line[to-1] == ' ' {
		to--
	}
	if to-from >= 2 && (line[from] == '"' || line[from] == '\'') && line[to-1] == line[from] {
		from, to = from+1, to-1
	}
	return place{line[from:to], n, from, to}
}

// at is the rule that a line belongs to; nil where there is none.
func (o *outline) at(line int) *ruleBlock {
	for i := range o.rules {
		if r := &o.rules[i]; line >= r.first && (i+1 == len(o.rules) || line < o.rules[i+1].first) {
			return r
		}
	}
	return nil
}

// step is the step with an id.
func (r *ruleBlock) step(id string) (stepBlock, bool) {
	for _, s := range r.steps {
		if id != "" && (s.id.word == id || s.id.word == "" && s.uses == id) {
			return s, true
		}
	}
	return stepBlock{}, false
}
