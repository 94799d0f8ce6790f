package expression_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"edrpipe/pkg/expression"
)

func chainScope() *expression.Scope {
	type artifact struct {
		Path string    `json:"path"`
		Size int64     `json:"size"`
		Time time.Time `json:"time"`
	}
	type output struct {
		Artifact artifact `json:"artifact"`
		Names    []string `json:"names"`
	}
	step := expression.ObjectOf(
		expression.Field{Name: "output", Type: expression.Of(reflect.TypeFor[output]())},
		expression.Field{Name: "status", Type: expression.TextType},
	)
	return expression.EventScope().
		With("steps", "", expression.ObjectOf(expression.Field{Name: "grab", Type: step})).
		With("vars", "", expression.ObjectOf(expression.Field{Name: "n", Type: expression.IntType}))
}

func chainEnv() map[string]any {
	scope := chainScope()
	more := map[string]any{
		"steps": map[string]any{"grab": map[string]any{
			"output": map[string]any{"artifact": map[string]any{"path": `c:\x`, "size": 7.0}, "names": []any{"a", "b"}},
		}},
		"vars": map[string]any{"n": 3.0},
	}
	for _, f := range scope.Names() {
		if v, ok := more[f.Name]; ok {
			more[f.Name] = f.Type.Conform(v)
		}
	}
	return expression.Env(sample(), more)
}

func TestTemplate(t *testing.T) {
	tests := []struct {
		text string
		want any
		kind expression.Kind
	}{
		{"plain", "plain", expression.Text},
		{"", "", expression.Text},
		{"${{ process.pid }}", 4711, expression.Int},
		{"${{process.name}}", "PowerShell.exe", expression.Text},
		{"${{ sensor.groups }}", []string{"Office", "Labs"}, expression.List},
		{"${{ steps.grab.output.artifact.size + vars.n }}", 10, expression.Int},
		{"${{ steps.grab.output.artifact.path }}", `c:\x`, expression.Text},
		{"${{ steps.grab.status }}", "", expression.Text}, // missing, so empty
		{"${{ steps.grab.output.artifact.time.Year() }}", 1, expression.Int},
		{"pid ${{ process.pid }} on ${{ sensor.groups }}", `pid 4711 on ["Office","Labs"]`, expression.Text},
		{"$${{ not this }} but ${{ 1 + 1 }}", "${{ not this }} but 2", expression.Text},
		{`${{ {"a": "}}"}["a"] }}`, "}}", expression.Any},
		{"age ${{ event.age }}, at ${{ event.time }}", "age 1m0s, at 2026-03-01T13:00:00Z", expression.Text},
		{"none: ${{ raw.absent }}.", "none: .", expression.Text},
		{"$ {{ x }} {{ y }} $x", "$ {{ x }} {{ y }} $x", expression.Text},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			tpl, err := chainScope().Template(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tpl.Eval(chainEnv())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
			if tpl.Type().Kind != tt.kind {
				t.Errorf("type = %s, want %s", tpl.Type(), tt.kind)
			}
		})
	}
}

// TestEventTextIsData: what an event says is never evaluated, whatever it looks
// like.
func TestEventTextIsData(t *testing.T) {
	e := sample()
	e.Process.CommandLine = `${{ process.pid }} $${{ x }} }} {{ "`
	for _, text := range []string{"${{ process.command_line }}", "a ${{ process.command_line }}"} {
		tpl, err := chainScope().Template(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tpl.Eval(expression.Env(e, nil))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(got.(string), e.Process.CommandLine) {
			t.Errorf("%q became %q", e.Process.CommandLine, got)
		}
	}
}

func TestTemplateMistakes(t *testing.T) {
	tests := []struct {
		text   string
		offset int
		want   string
	}{
		{"ä ${{ process.nmae }}", 14, "no field"},
		{"${{ steps.grab.output.artifct.size }}", 22, "no field"},
		{"${{ steps.grb.output }}", 10, `no field "grb"`},
		{"a ${{ process.pid", 2, "not closed"},
		{"${{ }}", 3, "empty"},
		{`${{ "a }}`, 4, "quote is not closed"},
		{"x ${{ process.pid }} ${{ nme }}", 25, "unknown name"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			_, err := chainScope().Template(tt.text)
			var found expression.Errors
			if !errors.As(err, &found) || len(found) != 1 {
				t.Fatalf("err = %v, want one mistake", err)
			}
			if found[0].Offset != tt.offset || !strings.Contains(found[0].Message, tt.want) {
				t.Errorf("at %d: %s; want at %d: %s", found[0].Offset, found[0].Message, tt.offset, tt.want)
			}
		})
	}
}

func TestData(t *testing.T) {
	d, problems := chainScope().Data(map[string]any{
		"pid": "${{ process.pid }}", "list": []any{"x", "${{ vars.n }}"}, "n": 5, "none": nil,
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got, err := d.Eval(chainEnv())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"pid": 4711, "list": []any{"x", 3}, "n": 5, "none": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, problems := chainScope().Data(map[string]any{"a": []any{"ok", "${{ nme }}"}, "b": "${{"}); len(problems) != 2 {
		t.Errorf("problems = %v, want two", problems)
	} else if diff := cmp.Diff([]string{"a", "1"}, problems[0].Path); diff != "" {
		t.Error(diff)
	}
}

// TestTooLong: an event cannot make a step write gigabytes.
func TestTooLong(t *testing.T) {
	e := sample()
	e.Process.CommandLine = strings.Repeat("x", 100_000)
	for range 100 {
		e.Sensor.Groups = append(e.Sensor.Groups, "g")
	}
	for _, text := range []string{
		"${{ map(sensor.groups, process.command_line) }}.",
		"${{ join(map(sensor.groups, process.command_line), \"\") }}",
		strings.Repeat("${{ process.command_line }}", 20),
	} {
		d, problems := chainScope().Data(text)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if _, err := d.Eval(expression.Env(e, nil)); err == nil {
			t.Errorf("%s: no error", text[:30])
		}
	}
}

func TestTakes(t *testing.T) {
	text, number := expression.TextType, expression.IntType
	tests := []struct {
		name       string
		want, from *expression.Type
		ok         bool
	}{
		{"text for text", text, text, true},
		{"a number for text", text, number, false},
		{"a whole number for a number", expression.FloatType, number, true},
		{"a number for a whole number", number, expression.FloatType, false},
		{"anything for text", text, expression.AnyType, true},
		{"text for a duration", expression.DurationType, text, true},
		{"a list of text for a list of numbers", expression.ListOf(number), expression.ListOf(text), false},
	}
	for _, tt := range tests {
		if got := tt.want.Takes(tt.from); got != tt.ok {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.ok)
		}
	}
}

// TestAge: an event that was stored and read back has its age again.
func TestAge(t *testing.T) {
	e := sample()
	e.Event.Received, e.Event.Age = e.Event.Time.Add(90*time.Second), 0
	tpl, err := chainScope().Template("${{ event.age }}")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tpl.Eval(expression.Env(e, nil)); err != nil || got != 90*time.Second {
		t.Errorf("age = %v, %v", got, err)
	}
}
