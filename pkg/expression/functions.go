package expression

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/builtin"
)

// Function is a function of the rule language.
type Function struct {
	Name      string
	Signature string
	Doc       string
	Example   string // a condition
	Result    *Type  // nil: that of what it is given
	Total     bool   // it cannot fail on texts: its constants are checked when it is compiled
	Like      string // the operator that gives the same where case does not count; empty: none

	types []any                          // Go functions of its signatures
	call  func(args ...any) (any, error) // nil: uses the scope, see bind
	bind  func(s *Scope) func(...any) (any, error)
	check func(s *Scope, args []constant) *argError // of constant arguments, when loaded
}

// constant is an argument that is known when the expression is compiled.
type constant struct {
	value any
	known bool
}

func (c constant) text() (string, bool) {
	s, ok := c.value.(string)
	return s, c.known && ok
}

// argError is a mistake in one argument.
type argError struct {
	arg           int
	message, hint string
}

// Functions lists the functions that edrpipe adds to expr-lang's own.
func Functions() []Function { return added }

// added is every function of ours, in the order in which they are documented.
var added = slices.Concat(textFunctions, networkFunctions, valueFunctions)

// FunctionNamed returns a function, one of ours or one that is built in.
func FunctionNamed(name string) (Function, bool) {
	if i := slices.IndexFunc(added, func(f Function) bool { return f.Name == name }); i >= 0 {
		return added[i], true
	}
	b, ok := builtins[name]
	return Function{Name: name, Signature: b.signature, Doc: b.doc}, ok
}

func functionNames() []string {
	var names []string
	for _, f := range added {
		names = append(names, f.Name)
	}
	for name := range builtins {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// compiled makes expr-lang's form of the function.
func (f Function) compiled(s *Scope) *builtin.Function {
	call := f.call
	if f.bind != nil {
		call = f.bind(s)
	}
	types := make([]reflect.Type, len(f.types))
	for i, t := range f.types {
		types[i] = reflect.TypeOf(t).Elem()
	}
	return &builtin.Function{Name: f.Name, Func: call, Types: types}
}

// onText makes a call from a function of texts.
func onText(arity int, f func(args []string) (any, error)) func(...any) (any, error) {
	return func(args ...any) (any, error) {
		if len(args) != arity {
			return nil, fmt.Errorf("got %d arguments, want %d", len(args), arity)
		}
		texts := make([]string, arity)
		for i, a := range args {
			text, err := textOf(a)
			if err != nil {
				return nil, err
			}
			texts[i] = text
		}
		return f(texts)
	}
}

// textOf is the text of an untyped argument; nothing is the empty text.
func textOf(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case nil:
		return "", nil
	}
	return "", fmt.Errorf("got %s where %s is needed", KindOf(v), Text)
}

// Fold is how the functions that disregard case see a text: strings.ToLower.
// Two texts are equal to ieq, and one contains the other for icontains, exactly
// if that holds for their folded forms.
func Fold(s string) string { return strings.ToLower(s) }

// builtins is every function of expr-lang that expressions may use. Left out is
// what depends on the clock (now, date: events carry their time and age), what
// can grow without bound (reduce, repeat, replace), and type, which is the name
// of a field.
var builtins = map[string]struct{ signature, doc string }{
	"all":           {"all(list, condition)", "Every item meets the condition; # is the item."},
	"any":           {"any(list, condition)", "Some item meets the condition."},
	"one":           {"one(list, condition)", "Exactly one item meets the condition."},
	"none":          {"none(list, condition)", "No item meets the condition."},
	"count":         {"count(list, condition)", "How many items meet the condition."},
	"filter":        {"filter(list, condition)", "The items that meet the condition."},
	"map":           {"map(list, value)", "A value for each item."},
	"find":          {"find(list, condition)", "The first item that meets the condition, or nothing."},
	"findIndex":     {"findIndex(list, condition)", "The place, from 0, of the first item that meets the condition."},
	"findLast":      {"findLast(list, condition)", "The last item that meets the condition, or nothing."},
	"len":           {"len(value)", "Length of a text in characters, of a list in items."},
	"first":         {"first(list)", "The first item, or nothing."},
	"last":          {"last(list)", "The last item, or nothing."},
	"take":          {"take(list, n)", "The first n items."},
	"uniq":          {"uniq(list)", "The items without repetitions."},
	"sort":          {"sort(list)", "The items in order."},
	"reverse":       {"reverse(list)", "The items backwards."},
	"keys":          {"keys(mapping)", "The keys."},
	"values":        {"values(mapping)", "The values."},
	"lower":         {"lower(text)", "In lower case."},
	"upper":         {"upper(text)", "In upper case."},
	"trim":          {"trim(text, characters?)", "Without white space, or the given characters, at both ends."},
	"trimPrefix":    {"trimPrefix(text, prefix)", "Without the prefix."},
	"trimSuffix":    {"trimSuffix(text, suffix)", "Without the suffix."},
	"split":         {"split(text, separator)", "The parts between separators."},
	"indexOf":       {"indexOf(text, part)", "Where the part is first found, in bytes from 0; -1: nowhere."},
	"lastIndexOf":   {"lastIndexOf(text, part)", "Where the part is last found."},
	"hasPrefix":     {"hasPrefix(text, prefix)", "Like startsWith."},
	"hasSuffix":     {"hasSuffix(text, suffix)", "Like endsWith."},
	"int":           {"int(value)", "As a whole number."},
	"float":         {"float(value)", "As a number."},
	"abs":           {"abs(number)", "Without its sign."},
	"ceil":          {"ceil(number)", "Rounded up."},
	"floor":         {"floor(number)", "Rounded down."},
	"round":         {"round(number)", "Rounded."},
	"max":           {"max(numbers…)", "The largest."},
	"min":           {"min(numbers…)", "The smallest."},
	"sum":           {"sum(list)", "The sum of the numbers."},
	"mean":          {"mean(list)", "Their mean."},
	"median":        {"median(list)", "Their median."},
	"bitand":        {"bitand(a, b)", "The bits that are set in both."},
	"bitor":         {"bitor(a, b)", "The bits that are set in either."},
	"bitxor":        {"bitxor(a, b)", "The bits that are set in one of them."},
	"bitnand":       {"bitnand(a, b)", "The bits of a that are not set in b."},
	"bitshl":        {"bitshl(a, n)", "Shifted left by n bits."},
	"bitshr":        {"bitshr(a, n)", "Shifted right by n bits."},
	"toBase64":      {"toBase64(text)", "In base 64."},
	"fromBase64":    {"fromBase64(text)", "From base 64."},
	"findLastIndex": {"findLastIndex(list, condition)", "The place of the last item that meets the condition."},
}

// Builtins lists expr-lang's functions that expressions may use, by name.
func Builtins() []Function {
	var all []Function
	for name, b := range builtins {
		all = append(all, Function{Name: name, Signature: b.signature, Doc: b.doc})
	}
	slices.SortFunc(all, func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// absent says what to use instead of expr-lang's functions that are left out.
var absent = map[string]string{
	"now":         "conditions do not depend on the clock: use event.age or event.time",
	"date":        "compare event.age with duration(…), or use event.time.Hour() and the like",
	"timezone":    "times are UTC",
	"seen_within": "conditions remember nothing: use suppress (not again for the same key) or correlate (several within a time)",
	"reduce":      "use count, sum, any or all",
	"repeat":      "write the text out",
	"replace":     "use trimPrefix, trimSuffix, split and join",
	"string":      "write it with other text, as in \"sensor ${{ sensor.id }}\": that makes text of any value",
	"toJSON":      "write it with other text, as in \"sensor ${{ sensor.id }}\": that makes text of any value",
	"type":        "types are known when a rule is loaded",
	"groupBy":     "use filter and count",
	"sortBy":      "use sort, or find",
	"get":         "use mapping?.key",
	"concat":      "use any(…) on each list",
	"flatten":     "use any(…) inside any(…)",
}
