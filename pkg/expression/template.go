package expression

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxText is how long a text that a template makes may be, in bytes.
const MaxText = 1 << 20

var errTooLong = fmt.Errorf("the text is longer than %d KiB", MaxText>>10)

// Template is text with expressions in it, written ${{ … }}. All else in it is
// literal; $${{ stands for ${{ itself. A template that is nothing but one
// ${{ x }} has the type and value of x.
type Template struct {
	Source string
	parts  []part
}

// part is literal text, or an expression.
type part struct {
	literal string
	program *Program
}

// IsTemplate reports whether a text has an expression in it.
func IsTemplate(text string) bool { return strings.Contains(text, "${{") }

// Template compiles text. The error, if any, is of type Errors.
func (s *Scope) Template(text string) (*Template, error) {
	t := &Template{Source: text}
	var found Errors
	literal := ""
	rest, at := text, 0 // at: characters before rest
	for {
		before, after, ok := strings.Cut(rest, "${{")
		if !ok {
			literal += rest
			break
		}
		at += utf8.RuneCountInString(before)
		if strings.HasSuffix(before, "$") {
			literal += strings.TrimSuffix(before, "$") + "${{"
			rest, at = after, at+3
			continue
		}
		literal += before
		end := templateEnd(after)
		if end < 0 {
			found = append(found, &Error{at, 3, "${{ is not closed", "close it with }}; for the text itself write $${{"})
			break
		}
		program, errs := s.templatePart(after[:end], at+3)
		found = append(found, errs...)
		if literal != "" {
			t.parts = append(t.parts, part{literal: literal})
			literal = ""
		}
		t.parts = append(t.parts, part{program: program})
		at += 3 + utf8.RuneCountInString(after[:end]) + 2
		rest = after[end+2:]
	}
	if literal != "" || len(t.parts) == 0 {
		t.parts = append(t.parts, part{literal: literal})
	}
	if len(found) > 0 {
		return nil, found
	}
	return t, nil
}

// templatePart compiles what stands between ${{ and }}, whose first character
// is at offset.
func (s *Scope) templatePart(source string, offset int) (*Program, Errors) {
	program, err := s.Value(source)
	var found Errors
	if errors.As(err, &found) {
		return nil, found.shift(offset)
	}
	return program, nil
}

// templateEnd finds the }} that ends an expression, past quotes and braces.
func templateEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\'', '`':
			skip := quotedEnd(s[i+1:], c)
			if skip < 0 {
				return strings.Index(s, "}}") // the compiler tells of the quote
			}
			i += 1 + skip
		case '{':
			depth++
		case '}':
			if depth == 0 {
				if strings.HasPrefix(s[i:], "}}") {
					return i
				}
				continue
			}
			depth--
		}
	}
	return -1
}

// quotedEnd finds the closing quote; only back quotes know no backslash.
func quotedEnd(s string, quote byte) int {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == quote:
			return i
		case s[i] == '\\' && quote != '`':
			i++
		}
	}
	return -1
}

// single returns the program of a template that is nothing but one expression.
func (t *Template) single() *Program {
	if len(t.parts) == 1 {
		return t.parts[0].program
	}
	return nil
}

// Type is the type of the template's value.
func (t *Template) Type() *Type {
	if p := t.single(); p != nil {
		return p.Type()
	}
	return TextType
}

// Constant reports whether the template has no expression, and its text then.
func (t *Template) Constant() (string, bool) {
	if len(t.parts) == 1 && t.parts[0].program == nil {
		return t.parts[0].literal, true
	}
	return "", false
}

// Programs lists the expressions of the template.
func (t *Template) Programs() []*Program {
	var all []*Program
	for _, p := range t.parts {
		if p.program != nil {
			all = append(all, p.program)
		}
	}
	return all
}

// Eval gives the template's value. The error, if any, is an *EvalError.
func (t *Template) Eval(env any) (any, error) {
	if p := t.single(); p != nil {
		return p.Eval(env)
	}
	var b strings.Builder
	for _, p := range t.parts {
		text := p.literal
		if p.program != nil {
			v, err := p.program.Eval(env)
			if err != nil {
				return nil, err
			}
			if text, err = Render(v); err != nil {
				return nil, &EvalError{Source: p.program.Source, Offset: -1, Message: err.Error(), Cause: err}
			}
		}
		if b.Len()+len(text) > MaxText {
			return nil, &EvalError{Source: t.Source, Offset: -1, Message: errTooLong.Error(), Cause: errTooLong}
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// Render is a value as text within other text: texts as they are, numbers in
// decimal, times in RFC 3339, durations like 1h30m0s, lists and mappings as
// JSON, nothing as the empty text.
func Render(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case time.Time:
		if v.IsZero() {
			return "", nil
		}
		return v.Format(time.RFC3339Nano), nil
	case time.Duration:
		return v.String(), nil
	}
	if !fits(v, MaxText) {
		return "", errTooLong
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("%s cannot be made into text", KindOf(v))
	}
	return string(text), nil
}

// fits reports whether a value's texts are together at most limit bytes long,
// shared ones counted each time: building a list is cheap where writing it out
// is not.
func fits(v any, limit int) bool {
	return measure(v, limit) >= 0
}

// measure returns what is left of the limit; negative when it is exceeded.
func measure(v any, left int) int {
	if left < 0 {
		return left
	}
	switch v := v.(type) {
	case string:
		return left - len(v) - 1
	case []string:
		for _, s := range v {
			left -= len(s) + 1
		}
		return left
	case []any:
		for _, item := range v {
			if left = measure(item, left-1); left < 0 {
				return left
			}
		}
		return left
	case map[string]any:
		for key, item := range v {
			if left = measure(item, left-len(key)-1); left < 0 {
				return left
			}
		}
		return left
	}
	return left - 8
}

// Lead returns the literal text with which a template begins, and whether the
// template is nothing but literal text.
func Lead(text string) (lead string, whole bool) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "${{")
		if !found {
			return b.String() + before, true
		}
		if !strings.HasSuffix(before, "$") {
			return b.String() + before, false
		}
		b.WriteString(strings.TrimSuffix(before, "$") + "${{")
		text = after
	}
}
