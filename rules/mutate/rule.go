package mutate

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// readRules reads the rules of a file by id, each without its tests and with what
// its aliases stand for.
func readRules(file string) (map[string]*yaml.Node, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	found := map[string]*yaml.Node{}
	for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var doc yaml.Node
		if err := dec.Decode(&doc); err != nil {
			if err.Error() == "EOF" {
				return found, nil
			}
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		list := under(resolved(doc.Content[0]), "rules")
		if list == nil {
			continue
		}
		for _, rule := range list.Content {
			if id := under(rule, "id"); id != nil {
				remove(rule, "tests")
				found[id.Value] = rule
			}
		}
	}
}

// resolved is a copy of a node in which aliases and comments are gone.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return resolved(n.Alias)
	}
	c := *n
	c.Anchor, c.HeadComment, c.LineComment, c.FootComment = "", "", "", ""
	c.Content = nil
	for _, kid := range n.Content {
		c.Content = append(c.Content, resolved(kid))
	}
	return &c
}

// under is the value of a key of a mapping; nil where there is none.
func under(n *yaml.Node, key string) *yaml.Node {
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

func remove(n *yaml.Node, key string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = append(n.Content[:i:i], n.Content[i+2:]...)
			return
		}
	}
}

// render is a rule as a file.
func render(rule *yaml.Node) string {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	file := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
		{Kind: yaml.ScalarNode, Value: "rules"},
		{Kind: yaml.SequenceNode, Content: []*yaml.Node{rule}},
	}}
	if err := enc.Encode(file); err != nil { // a tree that was read: cannot happen
		panic(fmt.Sprintf("rule: %v", err))
	}
	return strings.Replace(b.String(), `"on":`, "on:", 1)
}
