package strictyaml

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Path leads from the top of a document to one of its values:
// rules[0].steps[1].with.path. The empty path is the document itself. Keys that
// are not plain words are quoted: vars["a.b"].
type Path string

// Key goes down into a mapping.
func (p Path) Key(name string) Path {
	if !plainKey(name) {
		return p + "[" + Path(strconv.Quote(name)) + "]"
	}
	if p == "" {
		return Path(name)
	}
	return p + "." + Path(name) // one piece of memory, not two
}

// Index goes down into a list, counting from 0.
func (p Path) Index(i int) Path { return p + "[" + Path(strconv.Itoa(i)) + "]" }

func plainKey(name string) bool {
	if name == "" {
		return false
	}
	for _, r := range name {
		switch {
		case r == '_' || r == '-', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		default:
			return false
		}
	}
	return true
}

// segment is one step of a path: a key, or an index when key is not used.
type segment struct {
	key   string
	index int // -1 for a key
}

func (p Path) segments() []segment {
	var all []segment
	rest := string(p)
	for rest != "" {
		switch {
		case strings.HasPrefix(rest, `["`):
			quoted, err := strconv.QuotedPrefix(rest[1:])
			if err != nil {
				return all
			}
			key, _ := strconv.Unquote(quoted)
			all = append(all, segment{key, -1})
			rest = strings.TrimPrefix(rest[1+len(quoted):], "]")
		case rest[0] == '[':
			number, after, _ := strings.Cut(rest[1:], "]")
			i, err := strconv.Atoi(number)
			if err != nil {
				return all
			}
			all = append(all, segment{"", i})
			rest = after
		default:
			rest = strings.TrimPrefix(rest, ".")
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			all = append(all, segment{rest[:end], -1})
			rest = rest[end:]
		}
	}
	return all
}

// find walks from node along the path as far as the document goes. It returns
// the value and the key that it stands under (nil in lists).
func find(node *yaml.Node, p Path) (key, value *yaml.Node, whole bool) {
	value = resolve(node)
	for _, s := range p.segments() {
		next, nextKey := child(value, s)
		if next == nil {
			return key, value, false
		}
		key, value = nextKey, next
	}
	return key, value, true
}

func child(node *yaml.Node, s segment) (value, key *yaml.Node) {
	node = resolve(node)
	switch {
	case s.index >= 0 && node.Kind == yaml.SequenceNode && s.index < len(node.Content):
		return node.Content[s.index], nil
	case s.index == 0 && node.Kind == yaml.ScalarNode:
		return node, nil // a list of one, written as a single value
	case s.index < 0 && node.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == s.key {
				return node.Content[i+1], node.Content[i]
			}
		}
		return merged(node, s)
	}
	return nil, nil
}

// merged looks for a key in what a mapping takes in with <<.
func merged(node *yaml.Node, s segment) (value, key *yaml.Node) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if !isMerge(node.Content[i]) {
			continue
		}
		for _, m := range mergeSources(node.Content[i+1]) {
			if m.Kind != yaml.MappingNode || m == node {
				continue
			}
			for j := 0; j+1 < len(m.Content); j += 2 {
				if m.Content[j].Value == s.key {
					return m.Content[j+1], m.Content[j]
				}
			}
		}
	}
	return nil, nil
}

// resolve follows aliases. An alias never leads to an alias.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && (key.Tag == "" || key.Tag == "!!merge")
}

// mergeSources lists the mappings named by the value of a merge key, the first
// having precedence.
func mergeSources(value *yaml.Node) []*yaml.Node {
	value = resolve(value)
	if value.Kind != yaml.SequenceNode {
		return []*yaml.Node{value}
	}
	sources := make([]*yaml.Node, len(value.Content))
	for i, n := range value.Content {
		sources[i] = resolve(n)
	}
	return sources
}
