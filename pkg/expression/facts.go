package expression

import (
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"edrpipe/pkg/strictyaml"
)

// fact is what a comparison says of a value.
type fact struct {
	value ast.Node // of which something is said
	op    string   // ==, in, <, <=, >, >=, contains, startsWith, endsWith, true
	not   bool
	texts []string  // of texts
	nums  []float64 // of numbers
	words []string  // all that the value can be, besides empty; nil: anything
	whole bool      // the value is a whole number
	most  float64   // that the number can be, from 0; 0: no bound
}

// open reports whether the fact, and its opposite, are plainly met by some text.
func (f *fact) open() bool { return len(f.texts) > 0 && f.words == nil }

// factReader makes facts of comparisons.
type factReader struct {
	scope *Scope
	lets  map[string]ast.Node
	known map[*ast.BinaryNode]*fact // of comparisons read before; a nil fact: not understood
}

// comparison is the fact of a comparison, which is made once; nil where it is not
// understood.
func (r *factReader) comparison(n *ast.BinaryNode) *fact {
	known, seen := r.known[n]
	if seen {
		return known
	}
	if f, understood := r.makeFact(n); understood {
		known = &f
	}
	if r.known == nil {
		r.known = map[*ast.BinaryNode]*fact{}
	}
	r.known[n] = known
	return known
}

// read makes a fact of a comparison. One that is not understood is true or false as
// a whole: the same comparison is not both.
func (r *factReader) read(t term) fact {
	switch n := t.node.(type) {
	case *ast.BinaryNode:
		if known := r.comparison(n); known != nil {
			f := *known
			f.not = f.not != t.not
			return f
		}
	case *ast.CallNode: // has(field) of a text or number: it is not empty
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok && callee.Value == "has" && len(n.Arguments) == 1 {
			if typ := r.scope.typeOf(unchained(n.Arguments[0])); typ != nil && typ.Kind == Text {
				return fact{value: n.Arguments[0], op: "==", texts: []string{""}, not: !t.not, words: r.words(n.Arguments[0])}
			}
		}
	}
	return fact{value: t.node, op: "true", not: t.not}
}

func (r *factReader) makeFact(n *ast.BinaryNode) (fact, bool) {
	subject, constant, op := n.Left, n.Right, n.Operator
	if _, isConstant := r.constant(subject); isConstant {
		mirrored, ok := map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]
		if !ok {
			return fact{}, false
		}
		subject, constant, op = constant, subject, mirrored
	}
	value, ok := r.constant(constant)
	if !ok {
		return fact{}, false
	}
	f := fact{value: subject, op: op, words: r.words(subject), whole: fromNature(subject.Nature()).Kind == Int}
	f.texts, f.nums = value.texts, value.nums
	if t := r.scope.typeOf(unchained(subject)); t != nil && t.Form == "port" {
		f.most = math.MaxUint16
	}
	switch op {
	case "!=":
		f.op, f.not = "==", true
	case "==", "in", "<", "<=", ">", ">=":
	case "contains", "startsWith", "endsWith":
		return f, len(f.texts) == 1
	default:
		return fact{}, false
	}
	if value.truth != nil {
		return fact{value: subject, op: "true", not: f.not == *value.truth}, op == "==" || op == "!="
	}
	if f.op != "==" && f.op != "in" && len(f.nums) != 1 {
		return fact{}, false
	}
	return f, true
}

// constantValue is a constant of some type.
type constantValue struct {
	texts []string
	nums  []float64
	truth *bool
}

func (r *factReader) constant(n ast.Node) (constantValue, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return constantValue{texts: []string{n.Value}}, true
	case *ast.IntegerNode:
		return constantValue{nums: []float64{float64(n.Value)}}, math.Abs(float64(n.Value)) < 1<<53
	case *ast.FloatNode:
		return constantValue{nums: []float64{n.Value}}, true
	case *ast.BoolNode:
		return constantValue{truth: &n.Value}, true
	case *ast.UnaryNode:
		v, ok := r.constant(n.Node)
		if ok && n.Operator == "-" && len(v.nums) == 1 {
			return constantValue{nums: []float64{-v.nums[0]}}, true
		}
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok && callee.Value == "duration" {
			return durationConstant(n.Arguments)
		}
	case *ast.BuiltinNode:
		if n.Name == "duration" {
			return durationConstant(n.Arguments)
		}
	case *ast.ArrayNode:
		return r.constants(n.Nodes)
	}
	return constantValue{}, false
}

func durationConstant(args []ast.Node) (constantValue, bool) {
	if len(args) != 1 {
		return constantValue{}, false
	}
	text, ok := args[0].(*ast.StringNode)
	if !ok {
		return constantValue{}, false
	}
	d, err := strictyaml.ParseDuration(text.Value)
	return constantValue{nums: []float64{float64(d)}}, err == nil
}

// constants are the items of a list, all texts or all numbers.
func (r *factReader) constants(nodes []ast.Node) (constantValue, bool) {
	var all constantValue
	for _, n := range nodes {
		v, ok := r.constant(n)
		if !ok || v.truth != nil || len(v.texts)+len(v.nums) != 1 {
			return constantValue{}, false
		}
		all.texts, all.nums = append(all.texts, v.texts...), append(all.nums, v.nums...)
	}
	return all, len(all.texts) == 0 || len(all.nums) == 0
}

// words are all the values that a text can have; nil: any.
func (r *factReader) words(n ast.Node) []string {
	c := literalChecker{scope: r.scope, lets: r.lets}
	l := c.lookOf(n)
	if l.fold != "" || slices.Contains(l.words, "#") {
		return nil
	}
	return l.words
}

// consistent reports whether some value meets the last fact and all others about the
// same value.
func consistent(facts []fact) bool {
	var room [4]fact
	about := room[:0]
	last := facts[len(facts)-1]
	for _, f := range facts {
		if alike(f.value, last.value) {
			about = append(about, f)
		}
	}
	if about[0].op == "true" || slices.ContainsFunc(about, func(f fact) bool { return f.op == "true" }) {
		return sameTruth(about)
	}
	if slices.ContainsFunc(about, func(f fact) bool { return f.nums != nil }) {
		return numberExists(about)
	}
	return textExists(about)
}

func sameTruth(about []fact) bool {
	var truth []bool
	for _, f := range about {
		if f.op == "true" {
			truth = append(truth, !f.not)
		}
	}
	return !slices.Contains(truth, true) || !slices.Contains(truth, false)
}

// textExists reports whether some text meets all facts. Without a fact that lists
// what it can be, only prefixes and suffixes can exclude each other.
func textExists(about []fact) bool {
	var candidates []string
	listed := false
	for _, f := range about {
		switch {
		case (f.op == "==" || f.op == "in") && !f.not:
			candidates, listed = f.texts, true
		case !listed && f.words != nil:
			candidates, listed = append([]string{""}, f.words...), true
		}
	}
	if listed {
		return slices.ContainsFunc(candidates, func(text string) bool {
			return !slices.ContainsFunc(about, func(f fact) bool { return !f.meets(text) })
		})
	}
	for i, a := range about {
		for _, b := range about[:i] {
			if exclude(a, b) || exclude(b, a) {
				return false
			}
		}
	}
	return true
}

// meets reports whether a text is as the fact says.
func (f fact) meets(text string) bool {
	holds := false
	switch f.op {
	case "==", "in":
		holds = slices.Contains(f.texts, text)
	case "contains":
		holds = strings.Contains(text, f.texts[0])
	case "startsWith":
		holds = strings.HasPrefix(text, f.texts[0])
	case "endsWith":
		holds = strings.HasSuffix(text, f.texts[0])
	}
	return holds != f.not
}

// exclude reports whether no text meets both facts, of which neither lists texts.
func exclude(a, b fact) bool {
	if len(a.texts) != 1 || len(b.texts) != 1 || a.not {
		return false
	}
	x, y := a.texts[0], b.texts[0]
	if b.not { // whatever meets a meets the opposite of b
		switch {
		case b.op == "==" && y == "":
			return false
		case a.op == b.op && a.op == "startsWith":
			return strings.HasPrefix(x, y)
		case a.op == b.op && a.op == "endsWith":
			return strings.HasSuffix(x, y)
		case b.op == "contains":
			return strings.Contains(x, y)
		}
		return false
	}
	switch {
	case a.op == "startsWith" && b.op == "startsWith":
		return !strings.HasPrefix(x, y) && !strings.HasPrefix(y, x)
	case a.op == "endsWith" && b.op == "endsWith":
		return !strings.HasSuffix(x, y) && !strings.HasSuffix(y, x)
	}
	return false
}

// numberExists reports whether some number meets all facts.
func numberExists(about []fact) bool {
	low, high := math.Inf(-1), math.Inf(1)
	var candidates []float64
	listed := false
	for _, f := range about {
		if len(f.nums) == 0 {
			return true // compared with something else, too
		}
		n := f.nums[0]
		if f.most > 0 {
			low, high = max(low, 0), min(high, f.most)
		}
		switch op := f.op; {
		case (op == "==" || op == "in") && !f.not:
			candidates, listed = f.nums, true
		case op == ">" && !f.not, op == "<=" && f.not:
			low = max(low, above(n, f.whole))
		case op == ">=" && !f.not, op == "<" && f.not:
			low = max(low, n)
		case op == "<" && !f.not, op == ">=" && f.not:
			high = min(high, below(n, f.whole))
		case op == "<=" && !f.not, op == ">" && f.not:
			high = min(high, n)
		}
	}
	if low > high {
		return false
	}
	candidates = slices.DeleteFunc(slices.Clone(candidates), func(n float64) bool { return n < low || n > high })
	if low == high {
		candidates, listed = []float64{low}, true
	}
	return !listed || slices.ContainsFunc(candidates, func(n float64) bool {
		return !slices.ContainsFunc(about, func(f fact) bool { return !f.meetsNumber(n) })
	})
}

// above is the least number that is greater than n.
func above(n float64, whole bool) float64 {
	if whole {
		return math.Floor(n) + 1
	}
	return math.Nextafter(n, math.Inf(1))
}

func below(n float64, whole bool) float64 {
	if whole {
		return math.Ceil(n) - 1
	}
	return math.Nextafter(n, math.Inf(-1))
}

func (f fact) meetsNumber(n float64) bool {
	holds := false
	switch f.op {
	case "==", "in":
		holds = slices.Contains(f.nums, n)
	case "<":
		holds = n < f.nums[0]
	case "<=":
		holds = n <= f.nums[0]
	case ">":
		holds = n > f.nums[0]
	case ">=":
		holds = n >= f.nums[0]
	}
	return holds != f.not
}

// wholeOf is the place of a node with all that is in it: expr-lang places a
// comparison at its operator.
func wholeOf(n ast.Node) file.Location {
	loc := n.Location()
	eachChild(n, func(kid ast.Node) {
		inner := wholeOf(kid)
		loc.From, loc.To = min(loc.From, inner.From), max(loc.To, inner.To)
	})
	return loc
}
