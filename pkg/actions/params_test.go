package actions

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDecode(t *testing.T) {
	cases := []struct {
		name string
		uses string
		with map[string]any
		want any // nil: an error that holds text
		text string
	}{
		{"literal", "get_file", map[string]any{"path": `c:\a.exe`}, GetFileParams{Path: `c:\a.exe`}, ""},
		{"whole number from JSON", "get_file", map[string]any{"path": "/a", "count": float64(7)}, GetFileParams{Path: "/a", Count: 7}, ""},
		{"duration as text", "wait", map[string]any{"for": "1d2h"}, WaitParams{For: Duration(26 * time.Hour)}, ""},
		{"duration as value", "wait", map[string]any{"for": time.Minute}, WaitParams{For: Duration(time.Minute)}, ""},
		{"default", "list_directory", map[string]any{"path": `c:\`}, ListDirectoryParams{Path: `c:\`, Pattern: "*"}, ""},
		{"null is not given", "get_file", map[string]any{"path": "/a", "count": nil}, GetFileParams{Path: "/a"}, ""},
		{"digest is folded", "ban_hash", map[string]any{"md5": "D41D8CD98F00B204E9800998ECF8427E"}, BanHashParams{MD5: "d41d8cd98f00b204e9800998ecf8427e"}, ""},
		{"list of what Go calls it", "collect", map[string]any{"paths": []string{"/a"}}, CollectParams{Paths: []RemotePattern{"/a"}, MaxFiles: 100, MaxSize: 100 << 20, MaxTotal: 1 << 30}, ""},

		{"unknown", "get_file", map[string]any{"path": "/a", "cuont": 1}, nil, `cuont: there is no parameter "cuont": did you mean "count"?`},
		{"missing", "get_file", nil, nil, `parameter "path" is missing`},
		{"missing: null", "get_file", map[string]any{"path": nil}, nil, `parameter "path" is missing`},
		{"empty", "get_file", map[string]any{"path": ""}, nil, "the path is empty"},
		{"type", "kill_process", map[string]any{"pid": "4711", "name": "x"}, nil, `pid: want whole number, got the text "4711"`},
		{"not whole", "get_file", map[string]any{"path": "/a", "count": 1.5}, nil, "want whole number, got 1.5"},
		{"all at once", "get_file", map[string]any{"pth": "/a", "count": "x"}, nil, `want whole number, got the text "x"; pth: there is no`},
		{"pattern", "delete_file", map[string]any{"path": `c:\users\*`}, nil, "is a pattern"},
		{"NUL", "delete_file", map[string]any{"path": "c:\\a\x00.txt"}, nil, "NUL"},
		{"NUL in a list", "collect", map[string]any{"paths": []any{"/a\x00"}}, nil, "paths[0]: "},
		{"device", "delete_file", map[string]any{"path": `\\.\PhysicalDrive0`}, nil, "device namespace"},
		{"no digest", "ban_hash", map[string]any{"md5": "aa"}, nil, "is not an MD5"},
		{"one of", "notify", map[string]any{"to": "x", "title": "t", "format": "slak"}, nil, `did you mean "slack"?`},
		{"wildcard subject", "publish", map[string]any{"subject": "a.>"}, nil, "is not a subject"},
		{"hive", "get_registry_value", map[string]any{"key": `HKLN\a\b`}, nil, "is no hive"},
		{"top of a hive", "delete_registry_key", map[string]any{"key": `HKLM\Software`}, nil, "too near the top"},
		{"negative duration", "wait", map[string]any{"for": "-1h"}, nil, "is not a duration"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, _ := Lookup(c.uses)
			got, err := Decode(a, c.with)
			if c.want == nil {
				var pe *ParamError
				if !errors.As(err, &pe) || !strings.Contains(err.Error(), c.text) {
					t.Fatalf("error = %v, want %q", err, c.text)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

// TestParametersSurviveARecord: what a job record holds decodes to the same.
func TestParametersSurviveARecord(t *testing.T) {
	a, _ := Lookup("collect")
	first, err := Decode(a, map[string]any{"paths": []any{`c:\a`}, "registry": []any{`HKLM\a\b`}, "max_files": 7})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	var with map[string]any
	if err := json.Unmarshal(text, &with); err != nil {
		t.Fatal(err)
	}
	if second, err := Decode(a, with); err != nil || !reflect.DeepEqual(first, second) {
		t.Errorf("got %+v, %v, want %+v", second, err, first)
	}
}

// TestEveryActionDescribesItself: documentation and completion are made of this.
func TestEveryActionDescribesItself(t *testing.T) {
	if len(All()) < 26 {
		t.Errorf("%d actions", len(All()))
	}
	for _, a := range All() {
		s := a.Spec()
		if s.Summary == "" || s.Class == "" {
			t.Errorf("%s: summary and class are required", s.Name)
		}
		for _, f := range Fields(a.Params()) {
			if f.Doc == "" {
				t.Errorf("%s: parameter %s has no doc", s.Name, f.Name)
			}
			if f.Required && f.Default != "" {
				t.Errorf("%s: parameter %s is required and has a default", s.Name, f.Name)
			}
		}
		if undo, ok := Lookup(s.Undo); s.Undo != "" && (!ok || undo.Params() != a.Params()) {
			t.Errorf("%s: %s does not undo it with the same parameters", s.Name, s.Undo)
		} else if ok && undo.Spec().Undo != "" {
			// Guards exempt an undo from budgets: undoing an undo would be a way around.
			t.Errorf("%s: its undo %s can be undone itself", s.Name, s.Undo)
		}
		for _, c := range s.Commands {
			if !s.Session {
				t.Errorf("%s: needs command %s and no session", s.Name, c)
			}
		}
	}
}
