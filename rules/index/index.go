package index

import (
	"strings"
	"sync"

	"github.com/expr-lang/expr/ast"
)

// A Condition applies to the events that one of On names.
type Condition struct {
	// On are event types (ingress.event.procstart), kinds (process_start) or
	// patterns in which * stands for any characters (watchlist.*).
	On []string

	// Tree is the type-checked tree of the expression, after the compiler's
	// patches and optimisations. Nil is true.
	Tree ast.Node
}

// Index finds candidates among conditions. The zero value has none; see New.
type Index struct {
	conds program
	why   []string // per condition: why it cannot be looked up; empty when it can
	atoms []*atom
	on    []string // every distinct pattern
	asked [][]int  // per pattern: the conditions

	cache  sync.Map // sort → *Class
	mu     sync.Mutex
	cached int               // guarded by mu; entries of cache
	sets   map[string]*Class // guarded by mu; by the patterns that name the event
}

// sort is the key that selects the conditions for an event.
type sort struct{ typ, kind string }

// maxSorts bounds the cache: types come from outside.
const maxSorts = 1024

// New indexes the conditions; they are numbered in the order given.
func New(conditions []Condition) *Index {
	x := &Index{sets: map[string]*Class{}}
	byKey := map[string]int32{}
	e := &extractor{intern: func(a *atom) int32 {
		key := a.key()
		n, ok := byKey[key]
		if !ok {
			n = int32(len(x.atoms))
			byKey[key] = n
			x.atoms = append(x.atoms, a)
		}
		return n
	}}
	pattern := map[string]int{}
	for i, c := range conditions {
		k, why := always, "it has no condition"
		if c.Tree != nil {
			k, why = e.condition(c.Tree), ""
		}
		x.conds.add(k)
		if _, _, ok := (&odds{atoms: x.atoms}).access(x.conds.tree(i)); !ok && c.Tree != nil {
			why = e.why()
		}
		x.why = append(x.why, why)
		for _, on := range c.On {
			p, ok := pattern[on]
			if !ok {
				p = len(x.on)
				pattern[on] = p
				x.on, x.asked = append(x.on, on), append(x.asked, nil)
			}
			x.asked[p] = append(x.asked[p], i)
		}
	}
	return x
}

// Why explains to the author why condition n is a candidate for every event of its
// types; empty if the index can look it up.
func (x *Index) Why(n int) string { return x.why[n] }

// Fields lists the paths of the event's fields that decide whether the given conditions
// are candidates.
func (x *Index) Fields(conditions ...int) []string {
	paths := map[string]bool{}
	for _, n := range conditions {
		each(x.conds.tree(n), func(a *int32) { paths[x.atoms[*a].field.path] = true })
	}
	return sortedKeys(paths)
}

// Class returns the conditions for events of the given type and kind.
func (x *Index) Class(typ, kind string) *Class {
	key := sort{typ, kind}
	if c, ok := x.cache.Load(key); ok {
		return c.(*Class)
	}
	c := x.class(typ, kind)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cached < maxSorts {
		x.cached++
		x.cache.Store(key, c)
	}
	return c
}

// class finds the class by the set of patterns that name the event: types with the same
// set share one class.
func (x *Index) class(typ, kind string) *Class {
	var named []int
	set := make([]byte, len(x.on))
	for p, on := range x.on {
		if Names(on, typ, kind) {
			set[p] = 1
			named = append(named, p)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	c, ok := x.sets[string(set)]
	if !ok {
		ids := map[int]bool{}
		for _, p := range named {
			for _, id := range x.asked[p] {
				ids[id] = true
			}
		}
		c = newClass(x, sortedKeys(ids))
		x.sets[string(set)] = c
	}
	return c
}

// Names reports whether an entry of "on" names events of the given type and kind.
func Names(on, typ, kind string) bool {
	if on == typ || on == kind {
		return true
	}
	first, rest, isPattern := strings.Cut(on, "*")
	if !isPattern || !strings.HasPrefix(typ, first) {
		return false
	}
	typ = typ[len(first):]
	parts := strings.Split(rest, "*")
	for _, part := range parts[:len(parts)-1] {
		i := strings.Index(typ, part)
		if i < 0 {
			return false
		}
		typ = typ[i+len(part):]
	}
	return strings.HasSuffix(typ, parts[len(parts)-1])
}
