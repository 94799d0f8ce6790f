package expression_test

import (
	"errors"
	"testing"
	"time"
	"unicode/utf8"

	"edrpipe/pkg/expression"
)

// FuzzCondition: compiling ends and does not panic, mistakes lie inside the
// source, and what compiles runs to an end within a second.
func FuzzCondition(f *testing.F) {
	for _, source := range mistakes {
		f.Add(source)
	}
	f.Add(`any(split(process.path, ""), # in ["a", "b"]) ? 1 + 2 == 3 : false`)
	scope := expression.EventScope().WithLists(known)
	e := sample()
	f.Fuzz(func(t *testing.T, source string) {
		p, err := scope.Condition(source)
		var found expression.Errors
		if errors.As(err, &found) {
			for _, m := range found {
				if m.Offset < 0 || m.Offset > utf8.RuneCountInString(source) {
					t.Errorf("%q: offset %d", source, m.Offset)
				}
			}
			return
		}
		begun := time.Now()
		_, _ = p.Bool(e)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("%q took %v", source, took)
		}
	})
}

// FuzzTemplate: a template that compiles evaluates without a panic, and text
// without ${{ stays as it is.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{"${{ process.pid }}", "a $${{ b", "${{ \"}}\" }} x", "${{ {", "}}${{"} {
		f.Add(text)
	}
	scope := chainScope()
	f.Fuzz(func(t *testing.T, text string) {
		tpl, err := scope.Template(text)
		if err != nil {
			return
		}
		got, _ := tpl.Eval(chainEnv())
		if !expression.IsTemplate(text) && got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}
