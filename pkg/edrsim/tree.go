package edrsim

import (
	"maps"
	"slices"
	"time"
)

// A node is a file or a directory. It is never changed once it is linked into a
// tree: changes copy the directories along their path, so that all endpoints
// start out sharing one tree and pay only for what they change.
type node struct {
	name     string // as created; directories find it by its folded form
	dir      bool
	children map[string]*node
	data     blob
	attrs    []string // FILE_ATTRIBUTE_* without the prefix
	alt      string   // 8.3 name
	locked   bool     // in use: can be neither read nor deleted
	created  time.Time
	written  time.Time
}

// lookup follows folded path elements down from n; nil if the path does not exist.
func (n *node) lookup(path []string) *node {
	for _, name := range path {
		if n == nil || !n.dir {
			return nil
		}
		n = n.children[name]
	}
	return n
}

// with returns n with leaf at path. All directories above it must exist.
func (n *node) with(path []string, leaf *node) *node {
	if len(path) == 0 {
		return leaf
	}
	c := *n
	c.children = maps.Clone(n.children)
	if c.children == nil {
		c.children = map[string]*node{}
	}
	c.children[path[0]] = n.children[path[0]].with(path[1:], leaf)
	return &c
}

// without returns n less what is at path.
func (n *node) without(path []string) *node {
	c := *n
	c.children = maps.Clone(n.children)
	if len(path) == 1 {
		delete(c.children, path[0])
	} else {
		c.children[path[0]] = n.children[path[0]].without(path[1:])
	}
	return &c
}

// sorted lists a directory by name.
func (n *node) sorted() []*node {
	keys := slices.Sorted(maps.Keys(n.children))
	list := make([]*node, len(keys))
	for i, k := range keys {
		list[i] = n.children[k]
	}
	return list
}
