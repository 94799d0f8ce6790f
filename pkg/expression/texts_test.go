package expression_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// TestLiteralTextStays: text of which each ${{ is written $${{ evaluates to itself, and
// Lead gives all of it.
func TestLiteralTextStays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{"$ ", "{", "}}", "${{", "é", `"`, "`", `\`, "process.pid", " "})).Draw(t, "parts")
		want := strings.Join(parts, "")
		written := strings.ReplaceAll(want, "${{", "$${{")
		tpl, err := chainScope().Template(written)
		if err != nil {
			t.Fatalf("%q: %v", written, err)
		}
		got, err := tpl.Eval(chainEnv())
		if err != nil || got != want {
			t.Fatalf("%q became %q, %v, want %q", written, got, err, want)
		}
		if text, constant := tpl.Constant(); !constant || text != want {
			t.Fatalf("%q is constantly %q, %v", written, text, constant)
		}
		if lead, whole := expression.Lead(written); lead != want || !whole {
			t.Fatalf("%q leads with %q, whole: %v", written, lead, whole)
		}
		if lead, whole := expression.Lead(written + " ${{ process.pid }} more"); lead != want+" " || whole {
			t.Fatalf("%q with an expression leads with %q, whole: %v", written, lead, whole)
		}
	})
}

// TestQuotesInTemplates: }} in a text does not end the expression, in each kind of quotes.
func TestQuotesInTemplates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		`${{ "a\"}}" }}`:             `a"}}`,
		`${{ 'a\'}}' }}`:             `a'}}`,
		"${{ `a\\` + \"}}\" }}":      `a\}}`,
		`${{ "\\" + "}}" }}`:         `\}}`,
		`${{ {"a": {"b": 1}}.a.b }}`: 1,
		`x${{ 1 }}${{ 2 }}y`:         "x12y",
	} {
		tpl, err := chainScope().Template(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := tpl.Eval(chainEnv()); err != nil || got != want {
			t.Errorf("%s = %v, %v, want %v", text, got, err, want)
		}
	}
}

// TestPlacesInTemplates: a mistake stands where its expression does, in characters, also
// behind other expressions and what looks like one.
func TestPlacesInTemplates(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"${{ nosuch }}", "$${{ ä ${{ nosuch }}", "é$${{$${{${{ nosuch }}", "${{ process.pid }}${{ nosuch }}",
		"ä ${{ \"é}}\" }} ö ${{ nosuch }}", "$${{ }} ${{ 1 }} $${{ ${{ nosuch }}",
	} {
		_, err := chainScope().Template(text)
		var found expression.Errors
		if !errors.As(err, &found) || len(found) != 1 {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if want := len([]rune(text[:strings.Index(text, "nosuch")])); found[0].Offset != want || found[0].Length != len("nosuch") {
			t.Errorf("%s: at %d+%d, want %d", text, found[0].Offset, found[0].Length, want)
		}
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", expression.MaxText)
	for _, tt := range []struct {
		in   any
		want string // empty with fails: an error
	}{
		{nil, ""}, {"a", "a"}, {true, "true"}, {7, "7"}, {int64(math.MinInt64), "-9223372036854775808"},
		{1e21, "1000000000000000000000"}, {0.000001, "0.000001"}, {2.5, "2.5"},
		{time.Time{}, ""}, {time.Date(2026, 3, 1, 13, 0, 0, 5, time.UTC), "2026-03-01T13:00:00.000000005Z"},
		{90 * time.Minute, "1h30m0s"}, {[]any{1, "x", nil}, `[1,"x",null]`}, {[]string{"a"}, `["a"]`}, {map[string]any{"b": 1, "a": []any{}}, `{"a":[],"b":1}`},
		{map[string]any{"f": math.Inf(1)}, "cannot be made into text"},
		{map[string]any{long: 1}, "longer than"}, {map[string]any{"a": map[string]any{"b": long}}, "longer than"},
		{[]any{long[1:], "x"}, "longer than"}, {[]string{long[1:], "x"}, "longer than"},
	} {
		got, err := expression.Render(tt.in)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
			t.Errorf("%.40v is %.60q, want %q", tt.in, got, tt.want)
		}
	}
	e := sample()
	e.Process.CommandLine = long + "x"
	d, problems := chainScope().Data(map[string]any{"line": "${{ process.command_line }}"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, err := d.Eval(expression.Env(e, nil)); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a text of the event beyond the limit: %v", err)
	}
}

func TestTypesOfData(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   any
		want string
	}{
		{[]any{"a", "${{ process.name }}"}, "a list of text"}, {[]any{1, int64(2)}, "a list of whole numbers"},
		{[]any{"a", "${{ vars.n }}"}, "a list"}, {[]any{}, "a list"}, {[]any{[]any{1.5}}, "a list of lists"}, {[]any{map[string]any{}}, "a list of objects"},
		{[]any{1.5}, "a list of numbers"}, {[]any{true}, "a list of true or false"}, {[]any{"${{ event.time }}"}, "a list of times"}, {[]any{"${{ event.age }}"}, "a list of durations"},
		{"${{ process.pid }}!", "text"}, {nil, "nothing"}, {map[string]any{}, "an object"},
	} {
		d, problems := chainScope().Data(tt.in)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if got := d.Type().String(); got != tt.want {
			t.Errorf("%v is %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestTypesTakenForParameters(t *testing.T) {
	t.Parallel()
	object := func(fields ...expression.Field) *expression.Type { return expression.ObjectOf(fields...) }
	n, text := expression.Field{Name: "n", Type: expression.IntType}, expression.Field{Name: "n", Type: expression.TextType}
	m := &expression.Type{Kind: expression.Map, Elem: expression.AnyType}
	for _, tt := range []struct {
		want, from *expression.Type
		ok         bool
	}{
		{object(n), object(n), true}, {object(n), object(), true}, {object(), object(n), false}, {object(n), object(text), false},
		{object(n), m, true}, {m, object(n), true}, {m, expression.TextType, false}, {object(n), expression.ListOf(expression.IntType), false},
		{expression.TimeType, expression.TextType, true}, {expression.TimeType, expression.IntType, false}, {expression.TimeType, expression.DurationType, false},
		{expression.DurationType, expression.IntType, false}, {expression.BoolType, expression.TextType, false}, {expression.IntType, &expression.Type{Kind: expression.Nothing}, true},
		{expression.ListOf(expression.AnyType), expression.ListOf(expression.TextType), true}, {expression.ListOf(expression.FloatType), expression.ListOf(expression.IntType), true}, {expression.TextType, expression.ListOf(expression.TextType), false},
	} {
		if got := tt.want.Takes(tt.from); got != tt.ok {
			t.Errorf("%s takes %s: %v, want %v", tt.want, tt.from, got, tt.ok)
		}
	}
}

// TestPatternsWithCapitals: a regular expression that needs a capital is a mistake where
// there are none; one that can do without is none.
func TestPatternsWithCapitals(t *testing.T) {
	t.Parallel()
	for pattern, refused := range map[string]bool{
		"^Ab": true, "^ab": false, "(?i)^Ab": false, "(A)?b": false, "A{0,2}b": false, "A{1,2}b": true, "A*b": false, "A+b": true,
		"^(Ax|by)": false, "^(Ax|By)": true, "[A-Z]b": false, "(?:xA)": true, "Ä": false, "(": true,
	} {
		for _, field := range []string{"net.domain", "lower(process.path)"} {
			_, err := expression.EventScope().Condition(field + ` matches "` + pattern + `"`)
			if (err != nil) != refused {
				t.Errorf("%s matches %q: %v, want refused: %v", field, pattern, err, refused)
			}
		}
		if _, err := expression.EventScope().Condition(`process.command_line matches "` + pattern + `"`); err != nil && pattern != "(" {
			t.Errorf("a command line matches %q: %v", pattern, err)
		}
	}
}

// TestErringClauses: a clause that fails is not true, whatever stands around it.
func TestErringClauses(t *testing.T) {
	t.Parallel()
	for source, reached := range map[string]bool{ // the failing clause
		`raw.n contains "a"`:                               true,
		`!(raw.n contains "a")`:                            true,
		`process.pid == 4711 or raw.n contains "a"`:        false,
		`process.pid == 1 or raw.n contains "a"`:           true,
		`raw.n contains "a" or process.pid == 4711`:        true,
		`process.pid == 1 and raw.n contains "a"`:          false,
		`!(process.pid == 4711 and !(raw.n contains "a"))`: true,
	} {
		p, err := expression.EventScope().Condition(source)
		if err != nil {
			t.Fatal(err)
		}
		c, err := p.Clauses()
		if err != nil {
			t.Fatal(err)
		}
		want, failed := p.Bool(sample())
		o := c.Eval(sample())
		if (o.Err != nil) != reached || (failed != nil) != reached || o.Value != want {
			t.Errorf("%s: %v, %v; the program gives %v, %v", source, o.Value, o.Err, want, failed)
		}
		if reached && (len(o.Blame()) == 0 || o.Blame()[len(o.Blame())-1].Err == nil) {
			t.Errorf("%s: the failure is not among what is blamed: %+v", source, o.Blame())
		}
	}
}

func TestConstantClauses(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]bool{"1 == 1": true, "process.pid == 1": false, "1 == 1 and 2 == 2": false, `raw.a == 1`: false, `any(["a"], # == "a")`: true} {
		p, err := expression.EventScope().Lenient().Condition(source)
		if err != nil {
			t.Fatal(err)
		}
		c, err := p.Clauses()
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Constant(); got != want {
			t.Errorf("%s is constant: %v, want %v", source, got, want)
		}
	}
	if got := expression.Env(nil, nil)["process"]; got != (events.Process{}) {
		t.Errorf("the process of no event is %+v", got)
	}
}
