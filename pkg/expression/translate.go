package expression

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"edrpipe/internal/nearest"
)

// translate turns an error of expr-lang's parser or compiler into ours.
func translate(source string, err error) *Error {
	var placed *file.Error
	if !errors.As(err, &placed) {
		return &Error{0, max(1, utf8.RuneCountInString(source)), authorWords(err.Error()), ""}
	}
	e := at(placed.Location, authorWords(placed.Message), "")
	explainSyntax(e, source)
	return e
}

// explainSyntax words the mistakes that authors make most.
func explainSyntax(e *Error, source string) {
	runes := []rune(source)
	token := ""
	if e.Offset < len(runes) {
		token = string(runes[e.Offset:min(len(runes), e.Offset+e.Length)])
	}
	switch {
	case strings.HasPrefix(e.Message, "unexpected token EOF"), e.Message == "unexpected end of expression":
		e.Message, e.Hint = "the expression ends too early", "something is missing here, or a bracket is not closed"
		e.Offset, e.Length = len([]rune(strings.TrimRight(source, " \n\t"))), 1
	case token == "=" && strings.HasPrefix(e.Message, "unexpected token"):
		e.Message, e.Hint = "unexpected =", "compare with =="
	case strings.HasPrefix(e.Message, "unexpected token"):
		e.Message = "unexpected " + token
		e.Hint = operatorHint(token)
	case e.Message == "literal not terminated":
		e.Message, e.Hint = "a quote is not closed", ""
		e.Offset = openQuote(runes, e.Offset)
	case e.Message == "invalid char escape", strings.HasPrefix(e.Message, "unable to unescape"):
		e.Message = "a backslash sequence that has no meaning"
		e.Hint = "write \\\\ for a backslash, or use `back quotes`, where it is literal"
	case strings.HasPrefix(e.Message, "unrecognized character"):
		e.Message = fmt.Sprintf("the character %s has no meaning here", token)
		if strings.ContainsAny(token, "“”„‘’") {
			e.Hint = `use straight quotes: "`
		}
	case strings.Contains(e.Message, "exceeds maximum allowed nodes"):
		e.Message, e.Hint = fmt.Sprintf("the expression has more than %d parts", MaxNodes), "a long list of values belongs into a list file: in_list(…)"
	case strings.HasPrefix(e.Message, "not enough arguments"), strings.HasPrefix(e.Message, "too many arguments"):
		e.Hint = signatureHint(token)
	}
}

var operators = []string{"and", "or", "not", "in", "contains", "startsWith", "endsWith", "matches", "let"}

func operatorHint(token string) string {
	switch strings.ToLower(token) {
	case "like":
		return "use glob(text, pattern), contains or matches"
	case "is":
		return "use =="
	case "equals":
		return "use == or ieq(a, b)"
	case "<>":
		return "use !="
	}
	switch near := nearest.Word(token, operators); {
	case near != "" && near != token:
		return fmt.Sprintf("did you mean %s?", near)
	case token == `\`:
		return "text needs quotes: `\\like\\this`"
	}
	return "an operator such as ==, and, or may be missing before it"
}

func openQuote(runes []rune, end int) int {
	for i := min(end, len(runes)) - 1; i >= 0; i-- {
		if runes[i] == '"' || runes[i] == '\'' || runes[i] == '`' {
			return i
		}
	}
	return max(0, min(end, len(runes)-1))
}

func signatureHint(name string) string {
	if f, ok := FunctionNamed(name); ok {
		return f.Signature
	}
	return ""
}

// explainType words a mistake that expr-lang's checker found at a node.
func explainType(source string, placed *file.Error, node ast.Node) *Error {
	e := at(placed.Location, authorWords(placed.Message), "")
	switch n := node.(type) {
	case *ast.BinaryNode:
		explainBinary(e, n, placed.Message)
	case *ast.UnaryNode:
		e.Message = fmt.Sprintf("%s needs true or false, and %s is %s", n.Operator, shorten(n.Node.String()), fromNature(n.Node.Nature()))
		if n.Operator == "-" || n.Operator == "+" {
			e.Message = fmt.Sprintf("%s needs a number, and %s is %s", n.Operator, shorten(n.Node.String()), fromNature(n.Node.Nature()))
		}
		e.Hint = boolHint(n.Node, fromNature(n.Node.Nature()))
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok && e.Hint == "" {
			e.Hint = signatureHint(callee.Value)
		}
	case *ast.BuiltinNode:
		e.Hint = signatureHint(n.Name)
	}
	if m := argumentForm.FindStringSubmatch(placed.Message); m != nil && node != nil {
		e.Message = fmt.Sprintf("%s needs %s, and %s is %s", m[2], goKind(m[1]), shorten(node.String()), fromNature(node.Nature()))
		e.Hint = signatureHint(m[2])
		return e
	}
	explainSyntax(e, source)
	return e
}

// argumentForm is how expr-lang tells of an argument of the wrong type.
var argumentForm = regexp.MustCompile(`^cannot use .+ as argument \(type ([^)]+)\) to call (\w+)`)

func explainBinary(e *Error, n *ast.BinaryNode, message string) {
	if strings.Contains(message, "parsing regexp") {
		loc := n.Right.Location()
		e.Offset, e.Length = loc.From, max(1, loc.To-loc.From)
		e.Message = "not a regular expression: " + regexpReason(message)
		if strings.Contains(message, "(?!") || strings.Contains(message, "(?=") || strings.Contains(message, "(?<") {
			e.Hint = "RE2 does not look ahead or behind: match what is there, and exclude the rest with && !(… matches …)"
		}
		return
	}
	left, right := fromNature(n.Left.Nature()), fromNature(n.Right.Nature())
	a, b := shorten(n.Left.String()), shorten(n.Right.String())
	switch n.Operator {
	case "==", "!=", "<", ">", "<=", ">=":
		e.Message = fmt.Sprintf("%s is %s and cannot be compared with %s, which is %s", a, left, b, right)
		e.Hint = compareHint(n, left, right)
	case "and", "or", "&&", "||":
		e.Message = fmt.Sprintf("%s needs true or false on both sides", n.Operator)
		switch {
		case left.Kind != Bool && left.Kind != Any:
			e.Message += fmt.Sprintf(", and %s is %s", a, left)
			e.Hint = boolHint(n.Left, left)
		case right.Kind != Bool && right.Kind != Any:
			e.Message += fmt.Sprintf(", and %s is %s", b, right)
			e.Hint = boolHint(n.Right, right)
		}
	case "in":
		e.Message = fmt.Sprintf("%s is %s and cannot be in %s, which is %s", a, left, b, right)
		e.Hint = inHint(n, left, right)
	default:
		e.Message = fmt.Sprintf("%s cannot be used between %s, which is %s, and %s, which is %s", n.Operator, a, left, b, right)
	}
}

func compareHint(n *ast.BinaryNode, left, right *Type) string {
	if text, ok := n.Right.(*ast.StringNode); ok && (left.Kind == Int || left.Kind == Float) {
		if decimalText.MatchString(text.Value) {
			return "without quotes: " + text.Value
		}
	}
	if number, ok := n.Right.(*ast.IntegerNode); ok {
		switch left.Kind {
		case Text:
			return fmt.Sprintf(`in quotes: "%d"`, number.Value)
		case Duration:
			return `a duration is written duration("15m")`
		}
	}
	if number, ok := n.Left.(*ast.IntegerNode); ok && right.Kind == Text {
		return fmt.Sprintf(`in quotes: "%d"`, number.Value)
	}
	if left.Kind == Duration && right.Kind == Text {
		return fmt.Sprintf("write duration(%s)", n.Right.String())
	}
	if left.Kind == List {
		return "ask whether it is in the list: … in " + shorten(n.Left.String())
	}
	return ""
}

// inHint shows the quoted form of numbers that are looked for in text, or text in
// numbers: ids are text.
func inHint(n *ast.BinaryNode, left, right *Type) string {
	if number, ok := n.Left.(*ast.IntegerNode); ok && right.Kind == List && right.Elem != nil && right.Elem.Kind == Text {
		return fmt.Sprintf(`in quotes: "%d"`, number.Value)
	}
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok || left.Kind != Text {
		return ""
	}
	quoted := make([]string, len(list.Nodes))
	for i, item := range list.Nodes {
		number, ok := item.(*ast.IntegerNode)
		if !ok {
			return ""
		}
		quoted[i] = fmt.Sprintf("%q", strconv.Itoa(number.Value))
	}
	return "in quotes: [" + strings.Join(quoted, ", ") + "]"
}

var decimalText = regexp.MustCompile(`^-?\d+(\.\d+)?$`)

func regexpReason(message string) string {
	_, reason, _ := strings.Cut(message, "error parsing regexp: ")
	return reason
}

// goTypes are the Go type names that expr-lang's messages contain, in the words
// of rule authors.
var goTypes = strings.NewReplacer(
	"map[string]interface {}", "mapping", "[]interface {}", "list", "interface {}", "anything",
	"[]string", "list of text", "[]int", "list of whole numbers",
	"time.Duration", "duration", "time.Time", "time", "float64", "number", "int64", "whole number",
)

var (
	eventTypes = regexp.MustCompile(`\bevents\.([A-Z]\w*)`)
	typeWord   = regexp.MustCompile(`\b(type|got|as|of) (string|int|bool|nil|unknown)\b`)
)

// authorWords removes Go from a message.
func authorWords(message string) string {
	message = goTypes.Replace(message)
	message = eventTypes.ReplaceAllStringFunc(message, func(s string) string {
		return strings.ToLower(strings.TrimPrefix(s, "events."))
	})
	return typeWord.ReplaceAllStringFunc(message, func(s string) string {
		verb, word, _ := strings.Cut(s, " ")
		switch word {
		case "string":
			word = "text"
		case "int":
			word = "whole number"
		case "bool":
			word = "true or false"
		case "nil":
			word = "nothing"
		case "unknown":
			word = "anything"
		}
		return verb + " " + word
	})
}

// evalError words what went wrong while a program ran.
func evalError(source string, err error) error {
	e := &EvalError{Source: source, Offset: -1, Message: authorWords(err.Error()), Cause: err}
	var placed *file.Error
	if errors.As(err, &placed) {
		e.Offset = placed.From
		e.Message = placed.Message
	}
	switch {
	case strings.Contains(e.Message, "interface conversion"):
		e.Message = conversion(e.Message)
	case strings.HasPrefix(e.Message, "memory budget exceeded"):
		e.Message = "it uses too much memory"
	case strings.HasPrefix(e.Message, "invalid operation: int("):
		e.Message = "items of a list have numbers, not names: list[0]"
	case operationForm.MatchString(e.Message):
		m := operationForm.FindStringSubmatch(e.Message)
		e.Message = fmt.Sprintf("%s cannot be used between %s and %s", m[2], goKind(m[1]), goKind(m[3]))
	case strings.HasPrefix(e.Message, "index out of range"):
		e.Message = "the list has no such item"
	default:
		e.Message = authorWords(e.Message)
	}
	if e.Offset >= 0 {
		e.Message += fmt.Sprintf(" (at character %d)", e.Offset+1)
	}
	return e
}

// operationForm is how expr-lang tells of operands that do not go together.
var operationForm = regexp.MustCompile(`^invalid operation: (\S+) (\S+) (\S+)$`)

var conversionForm = regexp.MustCompile(`interface conversion: interface \{\} is ([^,]+), not (\S+)`)

func conversion(message string) string {
	m := conversionForm.FindStringSubmatch(message)
	if m == nil {
		return authorWords(message)
	}
	return fmt.Sprintf("got %s where %s is needed", goKind(m[1]), goKind(m[2]))
}

func goKind(name string) string {
	switch name {
	case "nil", "<nil>":
		return string(Nothing)
	case "string":
		return string(Text)
	case "int", "int64":
		return string(Int)
	case "float64":
		return string(Float)
	case "bool":
		return string(Bool)
	}
	return authorWords(name)
}
