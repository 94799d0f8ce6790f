package expression

import (
	"fmt"
	"strings"
)

var twoTexts = []any{new(func(string, string) bool)}

var textFunctions = []Function{
	{
		Name: "icontains", Signature: "icontains(text, part)", Result: BoolType, Total: true, Like: "contains",
		Doc:     "The text contains the part; case does not count.",
		Example: "icontains(reg.path, `\\currentversion\\run\\`)",
		types:   twoTexts,
		call: onText(2, func(a []string) (any, error) {
			return strings.Contains(Fold(a[0]), Fold(a[1])), nil
		}),
	},
	{
		Name: "ieq", Signature: "ieq(text, text)", Result: BoolType, Total: true, Like: "==",
		Doc:     "The texts are equal; case does not count.",
		Example: `ieq(process.user, "nt authority\\system")`,
		types:   twoTexts,
		call: onText(2, func(a []string) (any, error) {
			return Fold(a[0]) == Fold(a[1]), nil
		}),
	},
	{
		Name: "istartswith", Signature: "istartswith(text, prefix)", Result: BoolType, Total: true, Like: "startsWith",
		Doc:     "The text begins with the prefix; case does not count.",
		Example: `istartswith(process.path, "c:\\users\\")`,
		types:   twoTexts,
		call: onText(2, func(a []string) (any, error) {
			return strings.HasPrefix(Fold(a[0]), Fold(a[1])), nil
		}),
	},
	{
		Name: "iendswith", Signature: "iendswith(text, suffix)", Result: BoolType, Total: true, Like: "endsWith",
		Doc:     "The text ends with the suffix; case does not count.",
		Example: `iendswith(process.path, ".SCR")`,
		types:   twoTexts,
		call: onText(2, func(a []string) (any, error) {
			return strings.HasSuffix(Fold(a[0]), Fold(a[1])), nil
		}),
	},
	{
		Name: "iin", Signature: "iin(text, list)", Result: BoolType,
		Doc:     "The list has the text; case does not count.",
		Example: `iin(process.name, ["cmd.exe", "PowerShell.exe"])`,
		types:   []any{new(func(string, []any) bool), new(func(string, []string) bool)},
		call:    isIn,
	},
	{
		Name: "glob", Signature: "glob(text, pattern)", Result: BoolType, Total: true,
		Doc:     "The whole text matches the pattern: * is any run of characters, ? any one, all else itself, the backslash too.",
		Example: "glob(file.path, `c:\\users\\*\\downloads\\*.iso`)",
		types:   twoTexts, check: constantPattern,
		call: onText(2, func(a []string) (any, error) { return globMatch(a[0], a[1]), nil }),
	},
	{
		Name: "iglob", Signature: "iglob(text, pattern)", Result: BoolType, Total: true,
		Doc:     "Like glob; case does not count.",
		Example: `iglob(process.command_line, "* -EncodedCommand *")`,
		types:   twoTexts, check: constantPattern,
		call: onText(2, func(a []string) (any, error) { return globMatch(Fold(a[0]), Fold(a[1])), nil }),
	},
	{
		Name: "basename", Signature: "basename(path)", Result: TextType, Total: true,
		Doc:     "The last part of a Windows or Unix path.",
		Example: `basename(module.path) == "amsi.dll"`,
		types:   []any{new(func(string) string)},
		call:    onText(1, func(a []string) (any, error) { return a[0][strings.LastIndexAny(a[0], `\/`)+1:], nil }),
	},
	{
		Name: "dirname", Signature: "dirname(path)", Result: TextType, Total: true,
		Doc:     "The path without its last part and the separator before it.",
		Example: "dirname(process.path) == `c:\\windows\\system32`",
		types:   []any{new(func(string) string)},
		call: onText(1, func(a []string) (any, error) {
			return a[0][:max(0, strings.LastIndexAny(a[0], `\/`))], nil
		}),
	},
	{
		Name: "program_of", Signature: "program_of(command_line)", Result: TextType, Total: true,
		Doc:     "The path of the program in a command line, in the ImagePath of a service or in the value of a Run key: lower case, without arguments and quotes, the directories of Windows written out with their usual places. Other variables stay. Empty when there is none.",
		Example: `program_of(process.command_line) == "c:\\users\\public\\a.exe"`,
		types:   []any{new(func(string) string)},
		call:    onText(1, func(a []string) (any, error) { return programOf(a[0]), nil }),
	},
	{
		Name: "join", Signature: "join(list, separator)", Result: TextType,
		Doc:     "The texts of the list with the separator between them, at most 1 MiB.",
		Example: `join(sensor.groups, ",") contains "Servers"`,
		types:   []any{new(func([]string, string) string), new(func([]any, string) string)},
		call:    joinTexts,
	},
}

func joinTexts(args ...any) (any, error) {
	separator, _ := args[1].(string)
	var items []any
	switch list := args[0].(type) {
	case []string:
		for _, item := range list {
			items = append(items, item)
		}
	case []any:
		items = list
	case nil:
	default:
		return nil, fmt.Errorf("got %s where %s is needed", KindOf(list), List)
	}
	var b strings.Builder
	for i, item := range items {
		text, err := Render(item)
		if err != nil {
			return nil, err
		}
		if b.Len()+len(text)+len(separator) > MaxText {
			return nil, errTooLong
		}
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func isIn(args ...any) (any, error) {
	text, err := textOf(args[0])
	if err != nil {
		return nil, err
	}
	folded := Fold(text)
	switch list := args[1].(type) {
	case []string:
		for _, item := range list {
			if Fold(item) == folded {
				return true, nil
			}
		}
	case []any:
		for _, item := range list {
			if s, ok := item.(string); ok && Fold(s) == folded {
				return true, nil
			}
		}
	case nil:
	default:
		return nil, fmt.Errorf("got %s where %s is needed", KindOf(list), List)
	}
	return false, nil
}

func constantPattern(_ *Scope, args []constant) *argError {
	if _, ok := args[1].text(); !ok {
		return &argError{1, "the pattern must be a constant text", "put it in quotes"}
	}
	return nil
}

// globMatch reports whether the pattern covers the whole text, in time
// proportional to the product of their lengths at worst.
func globMatch(text, pattern string) bool {
	t, p := []rune(text), []rune(pattern)
	ti, pi, star, mark := 0, 0, -1, 0
	for ti < len(t) {
		switch {
		case pi < len(p) && p[pi] == '*':
			star, mark = pi, ti
			pi++
		case pi < len(p) && (p[pi] == '?' || p[pi] == t[ti]):
			pi++
			ti++
		case star >= 0:
			mark++
			pi, ti = star+1, mark
		default:
			return false
		}
	}
	for pi < len(p) && p[pi] == '*' {
		pi++
	}
	return pi == len(p)
}
