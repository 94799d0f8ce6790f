package index

// An access set of a condition is a set of atoms of which at least one holds
// whenever the condition does. Filing the condition under each of them is
// enough to find it. Of a conjunction any child's set will do: the cheapest is
// taken; a disjunction needs those of all its children.

// odds estimates the selectivity of atoms. Statistics learnt from events take
// precedence over the estimate by the atom's form.
type odds struct {
	atoms  []*atom
	seen   []int // per atom, in how many sampled events it held; nil before any
	events int   // sampled
}

// priorWeight is how many sampled events the guess counts for.
const priorWeight = 4

func (o *odds) of(n int32) float64 {
	p := guess(o.atoms[n])
	if o.seen == nil {
		return p
	}
	return (float64(o.seen[n]) + priorWeight*p) / (float64(o.events) + priorWeight)
}

// guess is how often an atom may hold, from its form alone.
func guess(a *atom) float64 {
	switch a.op {
	case opEqual:
		if a.text == "" {
			return 0.5
		}
		return 0.002
	case opIn:
		return min(0.5, 0.002*float64(len(a.texts)))
	case opContains, opPrefix, opSuffix:
		return 0.5 / float64(1+len(a.text)*len(a.text))
	case opNet:
		return 0.05
	case opIs:
		if a.field.typ == boolType {
			return 0.5
		}
		return 0.01
	case opIsIn:
		return min(0.5, 0.01*float64(len(a.nums)))
	}
	return 0.4
}

// access is the cheapest access set of a tree and its cost: about how many times
// an event the condition will be looked at.
func (o *odds) access(tree []node) (atoms []int32, cost float64, ok bool) {
	switch tree[0].op {
	case condNever:
		return nil, 0, true
	case condHolds:
		return []int32{tree[0].atom}, o.of(tree[0].atom), true
	case condAll:
		for kid := range kids(tree) {
			a, p, found := o.access(kid)
			if found && (!ok || p < cost) {
				atoms, cost, ok = a, p, true
			}
		}
		return atoms, cost, ok
	case condAny:
		for kid := range kids(tree) {
			a, p, found := o.access(kid)
			if !found {
				return nil, 0, false
			}
			atoms, cost = append(atoms, a...), cost+p
		}
		return atoms, cost, true
	}
	return nil, 0, false
}
