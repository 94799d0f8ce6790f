package index

// cond is a necessary condition: a tree over atoms, identified by their number.
type cond struct {
	op   condOp
	atom int32
	kids []cond
}

type condOp uint8

const (
	condAlways condOp = iota // unknown: the condition may hold
	condNever
	condHolds // the atom holds
	condLacks // the atom does not hold
	condAll
	condAny
)

var (
	always = cond{op: condAlways}
	never  = cond{op: condNever}
)

// allOf is the conjunction, flattened; what is always true is left out.
func allOf(cs ...cond) cond {
	var kids []cond
	for _, c := range cs {
		switch c.op {
		case condAlways:
		case condNever:
			return never
		case condAll:
			kids = append(kids, c.kids...)
		default:
			kids = append(kids, c)
		}
	}
	return group(condAll, always, kids)
}

// anyOf is the disjunction, flattened; what is never true is left out.
func anyOf(cs ...cond) cond {
	var kids []cond
	for _, c := range cs {
		switch c.op {
		case condNever:
		case condAlways:
			return always
		case condAny:
			kids = append(kids, c.kids...)
		default:
			kids = append(kids, c)
		}
	}
	return group(condAny, never, kids)
}

func group(op condOp, empty cond, kids []cond) cond {
	switch len(kids) {
	case 0:
		return empty
	case 1:
		return kids[0]
	}
	return cond{op: op, kids: kids}
}
