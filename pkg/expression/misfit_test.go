package expression_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edrpipe/pkg/expression"
)

// typeAt is the type of a field of the event.
func typeAt(t *testing.T, path string) *expression.Type {
	t.Helper()
	typ := expression.EventType
	for _, name := range strings.Split(path, ".") {
		f, ok := typ.Field(name)
		if !ok {
			t.Fatalf("there is no field %s", path)
		}
		typ = f.Type
	}
	return typ
}

// TestMisfitsOfFields: a value that no event can have in a field is a misfit, with what
// is wrong; one that an event can have is none.
func TestMisfitsOfFields(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path string
		in   any
		want string // in the message or hint; empty: it fits
	}{
		{"process.pid", 0, ""},
		{"process.pid", 4294967295, ""},
		{"process.pid", 4294967296, "process ids are 0 to 4294967295"},
		{"process.pid", -1, "is no process id"},
		{"process.pid", 2.0, ""},
		{"process.pid", 2.5, "must be a whole number"},
		{"process.pid", "4711", "this is text, but must be a whole number"},
		{"process.pid", "${{ i }}", ""},
		{"process.pid", nil, ""},
		{"net.remote_port", 65535, ""},
		{"net.remote_port", 65536, "ports are 0 to 65535"},
		{"net.remote_port", -1, "is no port"},
		{"feed.score", 2, ""},
		{"feed.score", 2.5, ""},
		{"feed.score", true, "this is true or false, but must be a number"},
		{"process.already_running", true, ""},
		{"process.already_running", "true", "must be true or false"},
		{"process.start", "2026-03-01T13:00:00Z", ""},
		{"process.start", "yesterday", "must be a time"},
		{"process.start", 5, "must be a time"},
		{"event.age", "15m", ""},
		{"event.age", 5, ""},
		{"event.age", []any{}, "this is a list, but must be a duration"},
		{"process.md5", "", ""},
		{"process.md5", "bb", ""},
		{"process.md5", "BB", ""},
		{"process.md5", "12345678", ""},
		{"process.md5", "123456789", "32 hex digits"},
		{"process.md5", "xy", "32 hex digits"},
		{"process.md5", strings.Repeat("A", 32), ""}, // decoding makes it lower case
		{"process.sha256", strings.Repeat("a", 32), "64 hex digits"},
		{"net.remote_ip", "10.0.0.1", ""},
		{"net.remote_ip", "::ffff:10.0.0.1", ""},
		{"net.remote_ip", "FE80::1%eth0", ""},
		{"net.remote_ip", "10.0.0.0/8", "cidr"},
		{"net.remote_ip", "ten", "not an IP address"},
		{"net.domain", "Evil.Example.", ""},
		{"net.domain", "https://evil.example", "URL"},
		{"process.path", `C:\Windows\X.exe`, ""},
		{"process.path", `%windir%\x.exe`, "environment variables"},
		{"process.path", "/tmp/a*b", ""},
		{"process.path", `c:\a*b`, "glob"},
		{"sensor.os", "Windows", ""},
		{"sensor.os", "macos", `did you mean "osx"`},
		{"file.type", "Pe", ""},
		{"file.type", "pe", `did you mean "Pe"`},
		{"net.protocol", "99", ""},
		{"net.protocol", "tpc", `did you mean "tcp"`},
		{"sensor.groups", []any{"a", "b"}, ""},
		{"sensor.groups", "a", "must be a list of text"},
		{"process", 5, "must be an object"},
		{"raw", map[string]any{"a": []any{1, "x"}}, ""},
		{"raw", []any{}, "must be a mapping"},
	} {
		found := typeAt(t, tt.path).Misfits(tt.in)
		text := ""
		for _, m := range found {
			text += m.Message + " " + m.Hint + "\n"
		}
		if (tt.want == "") != (len(found) == 0) || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %v: %q, want %q", tt.path, tt.in, text, tt.want)
		}
	}
}

// TestMisfitsHaveTheirPlace: each with the keys and indices that lead to it, keys in
// order, and whether the key itself is wrong.
func TestMisfitsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	typ := expression.ObjectOf(
		expression.Field{Name: "process", Type: expression.ObjectOf(expression.Field{Name: "pid", Type: expression.IntType})},
		expression.Field{Name: "list", Type: expression.ListOf(expression.ObjectOf(expression.Field{Name: "n", Type: expression.IntType}))},
		expression.Field{Name: "by", Type: &expression.Type{Kind: expression.Map, Elem: expression.IntType}},
	)
	var got []string
	for _, m := range typ.Misfits(map[string]any{
		"process": map[string]any{"pdi": 1, "pid": "x"},
		"list":    []any{map[string]any{"n": 1}, map[string]any{"n": true}, 7},
		"by":      map[string]any{"a": 1, "b": "x"},
		"zebra":   1,
	}) {
		place := strings.Join(m.Path, ".")
		if m.Key {
			place += " (key): " + m.Hint
		}
		got = append(got, place)
	}
	want := []string{
		"by.b", "list.1.n", "list.2", `process.pdi (key): did you mean "pid"?`, "process.pid",
		"zebra (key): there are process, list, by",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}
