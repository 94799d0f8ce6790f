package sigma

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// theirs are the keys of a rule that an update takes from the conversion. All others,
// such as mode, steps and suppress, are the operator's.
var theirs = []string{"title", "description", "author", "references", "false_positives", "severity", "tags", "source", "on", "when", "correlate"}

// Update brings a rule file up to date with a new conversion. It keeps ids, modes,
// steps and whatever else the operator has changed, and what was added behind a
// condition with &&. kept says of each rule that it left as it was, and why.
func Update(file *yaml.Node, rules []*Rule) (kept []string, err error) {
	list, err := rulesOf(file)
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		var made yaml.Node
		if err := made.Encode(r); err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.ID, err)
		}
		old := slices.IndexFunc(list.Content, func(n *yaml.Node) bool { return sameRule(n, r) })
		if old < 0 {
			list.Content = append(list.Content, &made)
			continue
		}
		if why := renew(list.Content[old], &made, r); why != "" {
			kept = append(kept, textAt(list.Content[old], "id")+": "+why)
		}
	}
	return kept, nil
}

func rulesOf(file *yaml.Node) (*yaml.Node, error) {
	if file.Kind == yaml.DocumentNode && len(file.Content) == 1 {
		if list := valueAt(file.Content[0], "rules"); list != nil && list.Kind == yaml.SequenceNode {
			return list, nil
		}
	}
	return nil, fmt.Errorf("it is no file of rules")
}

// sameRule reports whether a rule of the file was converted from the same original: by
// its UUID, else by the id.
func sameRule(n *yaml.Node, r *Rule) bool {
	if id := textAt(valueAt(n, "source"), "id"); id != "" && r.Source.ID != "" {
		return id == r.Source.ID
	}
	return textAt(n, "id") == r.ID
}

// renew takes the new conversion into a rule of the file; why it does not, if so.
func renew(old, made *yaml.Node, r *Rule) (why string) {
	source := valueAt(old, "source")
	if textAt(source, "digest") == r.Source.Digest && textAt(source, "when") == r.Source.When {
		return ""
	}
	added, ok := addedTo(textAt(old, "when"), textAt(source, "when"))
	switch {
	case !ok:
		return "its condition was changed, other than by && behind it"
	case len(r.Steps) > 1 || strings.Contains(textAt(source, "when"), readBack) || hasStep(old, readBack):
		return "its steps hold a part of the condition, on the value that they read back"
	}
	for _, key := range theirs {
		set(old, key, valueAt(made, key))
	}
	if added != "" {
		valueAt(old, "when").SetString(r.When + added)
	}
	return ""
}

// addedTo is what stands behind the condition that was converted.
func addedTo(when, converted string) (added string, ok bool) {
	for i := 0; ; {
		next := strings.Index(when[i:], " && ")
		if next < 0 {
			return "", digest([]byte(when)) == converted
		}
		i += next
		if digest([]byte(when[:i])) == converted {
			return when[i:], true
		}
		i += len(" && ")
	}
}

func hasStep(rule *yaml.Node, id string) bool {
	steps := valueAt(rule, "steps")
	return steps != nil && slices.ContainsFunc(steps.Content, func(n *yaml.Node) bool { return textAt(n, "id") == id })
}

func valueAt(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func textAt(n *yaml.Node, key string) string {
	if v := valueAt(n, key); v != nil {
		return v.Value
	}
	return ""
}

// set sets a key of a mapping; a nil value removes it.
func set(n *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch {
		case n.Content[i].Value != key:
			continue
		case value == nil:
			n.Content = slices.Delete(n.Content, i, i+2)
		default:
			n.Content[i+1] = value
		}
		return
	}
	if value != nil {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	}
}
