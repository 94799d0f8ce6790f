package expression_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"edrpipe/pkg/expression"
)

// TestConform: what JSON gives becomes a value of the type, exactly; what does not fit
// becomes its zero value, so that no program fails on it.
func TestConform(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)
	object := expression.ObjectOf(expression.Field{Name: "n", Type: expression.IntType}, expression.Field{Name: "t", Type: expression.TextType})
	for name, tt := range map[string]struct {
		typ      *expression.Type
		in, want any
	}{
		"text":                      {expression.TextType, "a", "a"},
		"a number is no text":       {expression.TextType, 5.0, ""},
		"nothing is no text":        {expression.TextType, nil, ""},
		"whole number":              {expression.IntType, 5.0, 5},
		"an int":                    {expression.IntType, 5, 5},
		"a part is cut":             {expression.IntType, 5.9, 5},
		"beyond 2^53":               {expression.IntType, json.Number("9007199254740993"), 9007199254740993},
		"digits in text":            {expression.IntType, "5", 0},
		"beyond 64 bits":            {expression.IntType, json.Number("x"), 0},
		"number":                    {expression.FloatType, json.Number("2.5"), 2.5},
		"int as number":             {expression.FloatType, 3, 3.0},
		"int64 as number":           {expression.FloatType, int64(3), 3.0},
		"no number":                 {expression.FloatType, "2.5", 0.0},
		"true":                      {expression.BoolType, true, true},
		"true in text":              {expression.BoolType, "true", false},
		"time in text":              {expression.TimeType, noon.Format(time.RFC3339Nano), noon},
		"time":                      {expression.TimeType, noon, noon},
		"no time":                   {expression.TimeType, "yesterday", time.Time{}},
		"duration in text":          {expression.DurationType, "1h30m", 90 * time.Minute},
		"duration in nanoseconds":   {expression.DurationType, json.Number("1000"), time.Microsecond},
		"duration":                  {expression.DurationType, time.Hour, time.Hour},
		"no duration":               {expression.DurationType, "soon", time.Duration(0)},
		"list":                      {expression.ListOf(expression.IntType), []any{1.0, "x", json.Number("3")}, []any{1, 0, 3}},
		"no list":                   {expression.ListOf(expression.IntType), "x", []any{}},
		"object":                    {object, map[string]any{"n": 1.0, "t": "x", "other": 5}, map[string]any{"n": 1, "t": "x"}},
		"missing fields":            {object, map[string]any{}, map[string]any{"n": 0, "t": ""}},
		"no object":                 {object, []any{}, map[string]any{"n": 0, "t": ""}},
		"anything":                  {expression.AnyType, []any{1.0, 1.5, map[string]any{"a": 2.0}}, []any{1, 1.5, map[string]any{"a": 2}}},
		"anything, large":           {expression.AnyType, 9007199254740992.0, 9007199254740992.0},
		"anything, exact":           {expression.AnyType, json.Number("9007199254740993"), 9007199254740993},
		"anything, beyond 64 bits":  {expression.AnyType, json.Number("99999999999999999999"), json.Number("99999999999999999999")},
		"anything, with a fraction": {expression.AnyType, json.Number("1.5e0"), 1.5},
		"mapping":                   {&expression.Type{Kind: expression.Map, Elem: expression.AnyType}, map[string]any{"a": 2.0}, map[string]any{"a": 2}},
		"no mapping":                {&expression.Type{Kind: expression.Map, Elem: expression.AnyType}, 5, map[string]any{}},
	} {
		got := tt.typ.Conform(tt.in)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(got, tt.typ.Conform(got)); diff != "" {
			t.Errorf("%s: what fits changes again:\n%s", name, diff)
		}
		if diff := cmp.Diff(tt.typ.Zero(), tt.typ.Conform(nil)); diff != "" {
			t.Errorf("%s: nothing is not the zero value:\n%s", name, diff)
		}
	}
}

// TestTextsThatNoEventHas: a constant that can never be equal is a mistake, with what
// was meant; one that can be is none. By the field's form, whole and as a part.
func TestTextsThatNoEventHas(t *testing.T) {
	t.Parallel()
	upper, sha := strings.Repeat("A", 32), strings.Repeat("ab", 32)
	for source, want := range map[string]string{ // of the message and hint; empty: allowed
		`process.md5 == "` + upper + `"`:                   strings.Repeat("a", 32),
		`process.md5 == "` + strings.Repeat("a", 31) + `"`: "32 hex digits",
		`process.md5 == "` + strings.Repeat("g", 32) + `"`: "32 hex digits",
		`process.md5 == "` + strings.Repeat("a", 32) + `"`: "",
		`process.md5 == ""`:                                "",
		`process.sha256 == "` + sha + `"`:                  "",
		`process.sha256 == "` + sha[1:] + `"`:              "64 hex digits",
		`process.md5 startsWith "AB"`:                      `"ab"`,
		`process.md5 startsWith "ab"`:                      "",
		`process.md5 contains "xy"`:                        "hex digits only",
		"process.path == `C:\\Windows\\x.exe`":             "lower case",
		"process.path == `c:\\windows\\x.exe`":             "",
		`process.path == "c:/windows/x.exe"`:               "backslashes",
		"process.path == `c:\\\\windows\\\\x.exe`":         "back quotes",
		"process.path == `%windir%\\x.exe`":                "environment variables",
		`process.path == "/usr/Bin/X"`:                     "",
		"process.path == `\\\\server\\share\\x.exe`":       "",
		"process.path contains `\\Temp\\`":                 "lower case",
		"process.path contains `\\temp\\`":                 "",
		`process.path contains "Temp"`:                     "",
		"process.path endsWith `\\\\temp\\\\x.exe`":        "back quotes",
		"process.name == `c:\\x.exe`":                      `"x.exe"`,
		`process.name == "/usr/bin/sh"`:                    `"sh"`,
		`process.name == "X.EXE"`:                          "lower case",
		`process.name == "Xorg"`:                           "",
		`file.ext == ".exe"`:                               "without the dot",
		`file.ext == "EXE"`:                                "lower case",
		`file.ext == "exe"`:                                "",
		"reg.path == `HKEY_LOCAL_MACHINE\\software`":       "HKLM",
		"reg.path == `HKLM\\Software`":                     "lower case",
		"reg.path == `HKLM\\software`":                     "",
		"reg.path contains `\\Run\\`":                      "lower case",
		"reg.path contains `\\run\\`":                      "",
		"reg.path startsWith `HKLM\\Software`":             "lower case",
		"reg.path contains `\\\\run\\\\`":                  "back quotes",
		`net.remote_ip == "10.0.0.0/8"`:                    "cidr",
		`net.remote_ip == "ten"`:                           "not an IP address",
		`net.remote_ip == "2001:DB8::0"`:                   "2001:db8::",
		`net.remote_ip == "::ffff:10.0.0.1"`:               "10.0.0.1",
		`net.remote_ip == "10.0.0.1"`:                      "",
		`net.remote_ip startsWith "10."`:                   "",
		`net.remote_ip startsWith "10.*"`:                  "no such characters",
		`net.remote_ip startsWith "FE80"`:                  "lower case",
		`net.domain == "https://evil.example/"`:            "URL",
		`net.domain == "*.example"`:                        "glob",
		`net.domain == "Evil.Example."`:                    `"evil.example"`,
		`net.domain == "evil.example"`:                     "",
		`net.domain endsWith ".Example"`:                   "lower case",
		`net.domain contains "a/b"`:                        "URL",
		`sensor.os == "macos"`:                             `"osx"`,
		`sensor.os == "Windows"`:                           `"windows"`,
		`sensor.os == "beos"`:                              "one of windows, linux, osx",
		`sensor.os == "windows"`:                           "",
		`sensor.type == "DC"`:                              `"domain_controller"`,
		`net.direction == "egress"`:                        `"outbound"`,
		`net.protocol == "99"`:                             "", // a number without a name
		`net.protocol == "tpc"`:                            `"tcp"`,
		`file.action == "modify"`:                          `"write"`,
		`reg.action == "deletevalue"`:                      `"delval"`,
		`target.action == "RemoteThread"`:                  `"remote_thread"`,
		`ieq(sensor.os, "WINDOWS")`:                        "",
		`ieq(sensor.os, "Mac")`:                            `"osx"`,
		`net.remote_port == 65536`:                         "can never be true",
		`net.remote_port == 65535`:                         "",
	} {
		_, err := expression.EventScope().Condition(source)
		var found expression.Errors
		if errors.As(err, &found) {
			text := ""
			for _, e := range found {
				text += e.Message + " " + e.Hint + "\n"
			}
			if want == "" || !strings.Contains(text, want) {
				t.Errorf("%s is told as %q, want %q", source, text, want)
			}
		} else if want != "" {
			t.Errorf("%s is taken, want %q", source, want)
		}
	}
}

// TestValuesOfData: templates anywhere in a value are evaluated, the rest stays as it is; each
// mistake is told with its place.
func TestValuesOfData(t *testing.T) {
	t.Parallel()
	scope := expression.EventScope()
	in := map[string]any{"plain": "a", "n": 5, "none": nil, "yes": true, "f": 1.5, "text": "${{ process.name }}!", "value": "${{ process.pid }}", "list": []any{"x", "${{ sensor.id }}"}, "empty": []any{}, "deep": map[string]any{"a": "${{ process.parent.name }}"}}
	d, problems := scope.Data(in)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got, err := d.Eval(sample())
	want := map[string]any{"plain": "a", "n": 5, "none": nil, "yes": true, "f": 1.5, "text": "PowerShell.exe!", "value": 4711, "list": []any{"x", "42"}, "empty": []any{}, "deep": map[string]any{"a": "winword.exe"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if n := len(d.Programs()); n != 4 {
		t.Errorf("%d programs, want 4", n)
	}
	for key, kind := range map[string]expression.Kind{"plain": expression.Text, "n": expression.Int, "none": expression.Nothing, "yes": expression.Bool, "f": expression.Float, "text": expression.Text, "value": expression.Int, "list": expression.List, "deep": expression.Object} {
		if k := d.Kid(key); k == nil || k.Type().Kind != kind {
			t.Errorf("%s is %v, want %s", key, k.Type(), kind)
		}
	}
	if d.Kid("other") != nil || d.Items() != nil || len(d.Kid("list").Items()) != 2 {
		t.Error("a mapping has items, or keys that it has not")
	}
	for key, want := range map[string]any{"plain": "a", "n": 5, "yes": true} {
		if v, ok := d.Kid(key).Constant(); !ok || v != want {
			t.Errorf("%s is constantly %v, %v", key, v, ok)
		}
	}
	for _, key := range []string{"text", "value", "list", "empty", "deep"} {
		if v, ok := d.Kid(key).Constant(); ok {
			t.Errorf("%s is said to be constantly %v", key, v)
		}
	}

	_, problems = scope.Data(map[string]any{"a": []any{"x", map[string]any{"b": "${{ nosuch }}"}}, "c": "${{ process.pid + }}"})
	var places []string
	for _, p := range problems {
		places = append(places, strings.Join(p.Path, "."))
	}
	if diff := cmp.Diff([]string{"a.1.b", "c"}, places); diff != "" {
		t.Errorf("places of mistakes (-want +got):\n%s", diff)
	}

	d, problems = scope.Data(map[string]any{"l": []any{"x", "${{ sensor.ids[7] }}"}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var failed *expression.EvalError
	if _, err := d.Eval(sample()); !errors.As(err, &failed) || !strings.HasPrefix(err.Error(), "l: item 2: ") {
		t.Errorf("a failure is told as %v", err)
	}
}
