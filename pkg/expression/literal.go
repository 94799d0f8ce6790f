package expression

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// literals reports constants that what they are compared with can never be: of
// another spelling, outside of a closed set of words, with a TAB where a path was
// meant.
func (s *Scope) literals(tree *parser.Tree, lets map[string]ast.Node) Errors {
	c := &literalChecker{scope: s, lets: lets}
	each(tree.Node, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.BinaryNode:
			c.binary(n)
		case *ast.CallNode:
			c.call(n)
		}
	})
	return c.found
}

type literalChecker struct {
	scope *Scope
	lets  map[string]ast.Node // what names stand for; nil: one of several things
	found Errors
}

// letsOf finds what let gives names to; nil when there is none.
func letsOf(root ast.Node) map[string]ast.Node {
	var lets map[string]ast.Node
	each(root, func(n ast.Node) {
		if let, ok := n.(*ast.VariableDeclaratorNode); ok {
			if lets == nil {
				lets = map[string]ast.Node{}
			}
			if _, twice := lets[let.Name]; twice {
				lets[let.Name] = nil
				return
			}
			lets[let.Name] = let.Value
		}
	})
	return lets
}

// look is what is known of the text that an expression gives.
type look struct {
	form  *form
	words []string
	fold  string // lower or upper: what the expression made of the text
	text  bool
	line  bool // any text, such as a command line
}

func (c *literalChecker) lookOf(n ast.Node) look {
	switch n := unchained(n).(type) {
	case *ast.IdentifierNode:
		if value := c.lets[n.Value]; value != nil {
			return c.lookOf(value)
		}
		return c.declared(n)
	case *ast.MemberNode:
		return c.declared(n)
	case *ast.BuiltinNode:
		if len(n.Arguments) == 1 && (n.Name == "lower" || n.Name == "upper") {
			l := c.lookOf(n.Arguments[0])
			l.fold, l.text = n.Name, true
			return l
		}
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok && callee.Value == "basename" {
			return look{form: formsByName["name"], text: true}
		}
	}
	return look{}
}

func (c *literalChecker) declared(n ast.Node) look {
	t := c.scope.typeOf(n)
	if t == nil || t.Kind != Text {
		return look{}
	}
	l := look{form: formsByName[t.Form], words: t.Words, text: true}
	l.line = l.form == nil && l.words == nil
	if c.scope.carrier != nil {
		reader := fieldCollector{scope: c.scope}
		if f, ok := reader.field(n); ok {
			if words := c.scope.carrier.Words(f.Path); words != nil {
				l.words, l.line = words, false
			}
		}
	}
	return l
}

func (c *literalChecker) binary(n *ast.BinaryNode) {
	switch n.Operator {
	case "==", "!=":
		if text, ok := n.Right.(*ast.StringNode); ok {
			c.whole(c.lookOf(n.Left), n.Left, text, false)
		} else if text, ok := n.Left.(*ast.StringNode); ok {
			c.whole(c.lookOf(n.Right), n.Right, text, false)
		}
	case "in":
		list, ok := n.Right.(*ast.ArrayNode)
		if !ok {
			return
		}
		l := c.lookOf(n.Left)
		for _, item := range list.Nodes {
			if text, ok := item.(*ast.StringNode); ok {
				c.whole(l, n.Left, text, false)
			}
		}
	case "contains", "startsWith", "endsWith":
		if text, ok := n.Right.(*ast.StringNode); ok {
			c.piece(c.lookOf(n.Left), n.Left, text, n.Operator, false)
		}
	case "matches":
		if text, ok := n.Right.(*ast.StringNode); ok {
			c.pattern(c.lookOf(n.Left), n.Left, text)
		}
	}
}

func (c *literalChecker) call(n *ast.CallNode) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || len(n.Arguments) != 2 {
		return
	}
	text, ok := n.Arguments[1].(*ast.StringNode)
	if ok && callee.Value == "in_list" {
		c.inList(n.Arguments[0], text)
		return
	}
	f, _ := FunctionNamed(callee.Value)
	switch {
	case !ok || f.Like == "" && callee.Value != "glob":
	case f.Like == "==":
		c.whole(c.lookOf(n.Arguments[0]), n.Arguments[0], text, true)
	case f.Like != "":
		c.piece(c.lookOf(n.Arguments[0]), n.Arguments[0], text, f.Like, true)
	default:
		c.control(c.lookOf(n.Arguments[0]), text)
	}
}

// listKinds are the kinds of list in which values of a form can be.
var listKinds = map[string][]string{
	"md5": {"hash", "text"}, "sha256": {"hash", "text"}, "ip": {"ip", "text"}, "domain": {"domain", "text"},
	"path": {"path", "text"}, "name": {"text", "domain"}, "ext": {"text"}, "reg": {"path", "text"},
}

// inList checks that a list holds what a field can be.
func (c *literalChecker) inList(field ast.Node, name *ast.StringNode) {
	lists, ok := c.scope.lists.(KindedLists)
	t := c.scope.typeOf(unchained(field))
	if !ok || t == nil {
		return
	}
	fits, known := listKinds[t.Form]
	kind := lists.Kind(name.Value)
	if kind == "" || !known {
		return
	}
	what := shorten(printed(field))
	const types = "the list's entries, or a line \"# type: …\" at its top, say its type"
	odd, none := "", false
	if t.Form != "reg" { // its paths have a normal form of their own
		odd, none = lists.Odd(name.Value, fits[0])
	}
	switch {
	case !slices.Contains(fits, kind):
		c.add(at(name.Location(), fmt.Sprintf("%s is never in this list, which is of type %s", what, kind), types))
	case none:
		c.add(at(name.Location(), fmt.Sprintf("%s is never in this list, which has no entry of type %s", what, fits[0]), types))
	case odd != "":
		c.add(at(name.Location(), fmt.Sprintf("%s is never found by the entry %s of this list, which is of type text", what, odd), fmt.Sprintf("entries of type %s need a list of their own, with %q at its top", fits[0], "# type: "+fits[0])))
	}
}

// whole checks a text that is compared with all of a field. Fold tells that case
// does not count.
func (c *literalChecker) whole(l look, field ast.Node, text *ast.StringNode, fold bool) {
	if !l.text || text.Value == "" || c.control(l, text) || c.folded(l, field, text, fold) {
		return
	}
	if l.words != nil {
		c.complain(field, text, "is never equal to this text", l.words, fold || l.fold != "")
		return
	}
	if l.form != nil && l.form.whole != nil && l.fold != "upper" {
		value := text.Value
		if fold {
			value = asciiLower(value)
		}
		message, instead := l.form.whole(value)
		c.report(field, text, "is never equal to this text", message, instead)
	}
}

// piece checks a text that is looked for within a field.
func (c *literalChecker) piece(l look, field ast.Node, text *ast.StringNode, operator string, fold bool) {
	if !l.text || text.Value == "" || c.control(l, text) || c.folded(l, field, text, fold) {
		return
	}
	never := map[string]string{"contains": "never contains this text", "startsWith": "never starts with this text", "endsWith": "never ends with this text"}[operator]
	if l.words != nil {
		if !partOfWord(l.words, text.Value, operator, fold || l.fold != "") {
			c.complain(field, text, never, l.words, true)
		}
		return
	}
	if l.form != nil && l.form.piece != nil && l.fold != "upper" {
		value := text.Value
		if fold {
			value = asciiLower(value)
			if l.form == formsByName["reg"] {
				return // its root has capitals
			}
		}
		message, instead := l.form.piece(value)
		c.report(field, text, never, message, instead)
	}
}

func partOfWord(words []string, text, operator string, fold bool) bool {
	if slices.Contains(words, "#") && strings.Trim(text, "0123456789") == "" {
		return true
	}
	return slices.ContainsFunc(words, func(w string) bool {
		if fold {
			w, text = strings.ToLower(w), strings.ToLower(text)
		}
		switch operator {
		case "startsWith":
			return strings.HasPrefix(w, text)
		case "endsWith":
			return strings.HasSuffix(w, text)
		}
		return strings.Contains(w, text)
	})
}

// folded checks what is compared with lower(…) or upper(…).
func (c *literalChecker) folded(l look, field ast.Node, text *ast.StringNode, fold bool) bool {
	if fold {
		return false
	}
	switch l.fold {
	case "lower":
		if lower := strings.ToLower(text.Value); lower != text.Value {
			c.report(field, text, "has no capital letters, and this text has", "-", lower)
			return true
		}
	case "upper":
		if upper := strings.ToUpper(text.Value); upper != text.Value {
			c.report(field, text, "has no small letters, and this text has", "-", upper)
			return true
		}
	}
	return false
}

// complain reports a text that is none of a field's words.
func (c *literalChecker) complain(field ast.Node, text *ast.StringNode, never string, words []string, fold bool) {
	message, instead := wordsMessage(words, text.Value, fold)
	if message == "" {
		return
	}
	e := at(text.Location(), fmt.Sprintf("%s %s: %s", shorten(printed(field)), never, message), "")
	if instead != "" {
		e.Hint = fmt.Sprintf("did you mean %q?", instead)
	}
	c.add(e)
}

func (c *literalChecker) report(field ast.Node, text *ast.StringNode, never, message, instead string) {
	if message == "" {
		return
	}
	e := at(text.Location(), fmt.Sprintf("%s %s", shorten(printed(field)), never), "")
	if message != "-" {
		e.Message += ": " + message
	}
	if instead != "" {
		e.Hint = "write " + quoted(instead)
	}
	c.add(e)
}

func (c *literalChecker) add(e *Error) {
	if len(c.found) < maxErrors {
		c.found = append(c.found, e)
	}
}

// quoted writes a text as a literal of the language.
func quoted(text string) string {
	if strings.Contains(text, `\`) && !strings.Contains(text, "`") {
		return "`" + text + "`"
	}
	return fmt.Sprintf("%q", text)
}

// controls are the characters that a backslash and a letter stand for.
var controls = strings.NewReplacer("\a", `\a`, "\b", `\b`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`)

// control reports control characters in a text that is meant to be a path: in double
// quotes \t is a TAB.
func (c *literalChecker) control(l look, text *ast.StringNode) bool {
	path := l.form != nil || l.words != nil || l.line && pathWithControl(text.Value)
	repaired := controls.Replace(text.Value)
	if !path || repaired == text.Value {
		return false
	}
	var names []string
	for _, n := range []struct{ char, name string }{{"\t", `\t is a TAB`}, {"\n", `\n a line feed`}, {"\r", `\r a carriage return`}, {"\b", `\b a backspace`}, {"\f", `\f a form feed`}, {"\a", `\a a bell`}, {"\v", `\v a vertical tab`}} {
		if strings.Contains(text.Value, n.char) {
			names = append(names, n.name)
		}
	}
	c.add(at(text.Location(), "in this text "+strings.Join(names, " and "), "write "+quoted(repaired)))
	return true
}

// pathWithControl reports whether a text has a drive with a control character after it.
func pathWithControl(text string) bool {
	i := strings.IndexByte(text, ':')
	return i > 0 && i+1 < len(text) && strings.IndexByte("\a\b\f\n\r\t\v", text[i+1]) >= 0
}

// pattern checks that a regular expression does not need capitals where there are none.
func (c *literalChecker) pattern(l look, field ast.Node, text *ast.StringNode) {
	if l.fold != "lower" && (l.form == nil || !l.form.lower) {
		return
	}
	re, err := syntax.Parse(text.Value, syntax.Perl)
	if err != nil || !needsCapital(re) {
		return
	}
	c.add(at(text.Location(), fmt.Sprintf("%s has no capital letters, and this pattern needs some", shorten(printed(field))), "begin it with (?i), or write it in lower case"))
}

// needsCapital reports whether every text that the expression matches has a capital.
func needsCapital(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return re.Flags&syntax.FoldCase == 0 && strings.ContainsAny(string(re.Rune), "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	case syntax.OpConcat:
		return slices.ContainsFunc(re.Sub, needsCapital)
	case syntax.OpAlternate:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !needsCapital(sub) })
	case syntax.OpCapture, syntax.OpPlus:
		return needsCapital(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min > 0 && needsCapital(re.Sub[0])
	}
	return false
}
