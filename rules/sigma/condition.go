package sigma

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// detection converts the detection part of a rule: named searches and a
// condition over their names.
type detection struct {
	source  *source
	windows bool // events may come from Windows
	items   map[string]yaml.Node
	tokens  []string

	// possible reads the condition of an event whose registry value is not read yet:
	// true where the value could make it true.
	possible bool
	negated  bool // the operand stands under an odd number of nots
	reads    bool // set when the condition needs the value

	narrow  bool     // leave out what cannot be said, where that matches less
	dropped []string // what was left out
	lists   lists
}

var token = regexp.MustCompile(`\(|\)|\||[^\s()|]+`)

func (d *detection) convert() (string, error) {
	if _, ok := d.items["timeframe"]; ok {
		return "", refuse("timeframe belongs to an aggregation: write it with correlate")
	}
	node, ok := d.items["condition"]
	if !ok {
		return "", refuse("it has no condition")
	}
	var conditions []string
	if node.Kind == yaml.SequenceNode {
		if err := node.Decode(&conditions); err != nil {
			return "", refuse("its condition is not text")
		}
	} else {
		conditions = []string{node.Value}
	}
	var parts []string
	for _, c := range conditions {
		d.tokens = token.FindAllString(c, -1)
		part, err := d.or()
		if err != nil {
			return "", err
		}
		if len(d.tokens) > 0 {
			return "", d.unexpected()
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "", refuse("it has no condition")
	}
	return joined("||", parts), nil
}

func (d *detection) unexpected() error {
	if len(d.tokens) == 0 {
		return refuse("its condition ends too early")
	}
	switch d.tokens[0] {
	case "|":
		return refuse("its condition aggregates (| %s): write it with correlate", strings.Join(d.tokens[1:], " "))
	case "near":
		return refuse("its condition uses near: write it with correlate")
	}
	return refuse("%q is not understood in its condition", d.tokens[0])
}

func (d *detection) next() string {
	if len(d.tokens) == 0 {
		return ""
	}
	return strings.ToLower(d.tokens[0])
}

func (d *detection) take() string {
	t := d.tokens[0]
	d.tokens = d.tokens[1:]
	return t
}

func (d *detection) or() (string, error)  { return d.chain("or", "||", d.and) }
func (d *detection) and() (string, error) { return d.chain("and", "&&", d.not) }

// chain is operands joined by one word.
func (d *detection) chain(word, op string, operand func() (string, error)) (string, error) {
	var parts []string
	var last error
	for {
		begin := d.tokens
		p, err := operand()
		switch {
		case err != nil && d.leaveOut(op, err):
			d.tokens, last = afterOperand(begin, op), err
		case err != nil:
			return "", err
		default:
			parts = append(parts, p)
		}
		if d.next() != word {
			break
		}
		d.take()
	}
	if len(parts) == 0 && last != nil {
		return "", last
	}
	return joined(op, parts), nil
}

func (d *detection) not() (string, error) {
	switch d.next() {
	case "":
		return "", d.unexpected()
	case "not":
		d.take()
		d.negated = !d.negated
		inner, err := d.not()
		d.negated = !d.negated
		return negation(inner), err
	case "(":
		d.take()
		inner, err := d.or()
		if err != nil {
			return "", err
		}
		if d.next() != ")" {
			return "", refuse("a bracket in its condition is not closed")
		}
		d.take()
		return inner, nil
	case "1", "any", "all":
		if len(d.tokens) > 1 && strings.EqualFold(d.tokens[1], "of") {
			return d.of()
		}
	}
	if _, ok := d.items[d.tokens[0]]; !ok {
		return "", d.unexpected()
	}
	return d.search(d.take())
}

// of is "1 of selection_*", "all of them" and the like.
func (d *detection) of() (string, error) {
	op := "||"
	if strings.EqualFold(d.take(), "all") {
		op = "&&"
	}
	d.take()
	if len(d.tokens) == 0 {
		return "", d.unexpected()
	}
	pattern := d.take()
	var names []string
	for name := range d.items {
		if name == "condition" {
			continue
		}
		them := strings.EqualFold(pattern, "them") && !strings.HasPrefix(name, "_")
		if ok, _ := path.Match(pattern, name); ok || them {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", refuse("%q names no search", pattern)
	}
	slices.Sort(names)
	return d.operands(op, len(names), func(i int) (string, error) { return d.search(names[i]) })
}

// search is one named search: a mapping, or a list of mappings of which one
// must hold.
func (d *detection) search(name string) (string, error) {
	node := d.items[name]
	switch node.Kind {
	case yaml.MappingNode:
		return d.mapping(&node)
	case yaml.SequenceNode:
		if len(node.Content) > 0 {
			return d.operands("||", len(node.Content), func(i int) (string, error) {
				n := node.Content[i]
				if n.Kind != yaml.MappingNode {
					return "", refuse("%s searches all fields for %q: say which field", name, n.Value)
				}
				return d.mapping(n)
			})
		}
	case yaml.ScalarNode:
		return "", refuse("%s searches all fields for %q: say which field", name, node.Value)
	}
	return "", refuse("%s is empty", name)
}

// mapping is fields that must all hold.
func (d *detection) mapping(n *yaml.Node) (string, error) {
	m := &mapping{detection: d, outbound: initiates(n)}
	seen := map[string]bool{}
	if len(n.Content) == 0 {
		return "", refuse("a search is empty")
	}
	return d.operands("&&", len(n.Content)/2, func(i int) (string, error) {
		key := n.Content[2*i].Value
		if seen[key] {
			return "", refuse("%s is given twice in one search", key)
		}
		seen[key] = true
		return m.item(key, n.Content[2*i+1])
	})
}

// initiates says that a search wants connections that the sensor's side began.
func initiates(n *yaml.Node) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "Initiated" && strings.EqualFold(n.Content[i+1].Value, "true") {
			return true
		}
	}
	return false
}

// joined is the parts with an operator between, in brackets where there are several.
func joined(op string, parts []string) string {
	neutral, absorbing := "true", "false"
	if op == "||" {
		neutral, absorbing = absorbing, neutral
	}
	if slices.Contains(parts, absorbing) {
		return absorbing
	}
	var kept []string
	for _, p := range parts {
		if p != neutral && !slices.Contains(kept, p) {
			kept = append(kept, p)
		}
	}
	parts = kept
	switch len(parts) {
	case 0:
		return neutral
	case 1:
		return parts[0]
	}
	return "(" + strings.Join(parts, " "+op+" ") + ")"
}

func negation(of string) string {
	switch of {
	case "true":
		return "false"
	case "false":
		return "true"
	}
	return "!(" + of + ")"
}
