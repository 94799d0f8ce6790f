package index

// program is conditions ready to be checked: their trees one after another, each
// node before its kids, so that a condition is read from one place in memory.
type program struct {
	nodes  []node
	starts []int32 // of each condition
}

// node is a cond without pointers.
type node struct {
	op   condOp
	atom int32
	size int32 // nodes of its tree, itself included: where its next sibling is
}

func (p *program) add(c cond) {
	p.starts = append(p.starts, int32(len(p.nodes)))
	p.append(c)
}

func (p *program) append(c cond) {
	at := len(p.nodes)
	p.nodes = append(p.nodes, node{op: c.op, atom: c.atom})
	for _, kid := range c.kids {
		p.append(kid)
	}
	p.nodes[at].size = int32(len(p.nodes) - at)
}

// tree is the nodes of condition n.
func (p *program) tree(n int) []node {
	start := p.starts[n]
	return p.nodes[start : start+p.nodes[start].size]
}

// each visits the atoms of a tree.
func each(tree []node, visit func(atom *int32)) {
	for i := range tree {
		if op := tree[i].op; op == condHolds || op == condLacks {
			visit(&tree[i].atom)
		}
	}
}

// kids visits the trees of a node's children until yield returns false.
func kids(tree []node) func(yield func([]node) bool) {
	return func(yield func([]node) bool) {
		for rest := tree[1:]; len(rest) > 0; rest = rest[rest[0].size:] {
			if !yield(rest[:rest[0].size]) {
				return
			}
		}
	}
}

// excerpt is a program of some of the conditions with its own numbering of atoms, in the
// order of use: atoms that are evaluated together are adjacent. numbers are the atoms'
// numbers in p.
func (p *program) excerpt(conditions []int) (x program, numbers []int32) {
	own := map[int32]int32{}
	for _, n := range conditions {
		x.starts = append(x.starts, int32(len(x.nodes)))
		x.nodes = append(x.nodes, p.tree(n)...)
	}
	each(x.nodes, func(atom *int32) {
		n, ok := own[*atom]
		if !ok {
			n = int32(len(numbers))
			own[*atom] = n
			numbers = append(numbers, *atom)
		}
		*atom = n
	})
	return x, numbers
}
