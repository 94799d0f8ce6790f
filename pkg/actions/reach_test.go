package actions

import (
	"strings"
	"testing"

	"edrpipe/pkg/edr"
)

// pathParams are a valid set of parameters for each action that takes a path, and
// where in it the path stands.
var pathParams = map[string]func(path string) map[string]any{
	"get_file":         func(p string) map[string]any { return map[string]any{"path": p} },
	"delete_file":      func(p string) map[string]any { return map[string]any{"path": p} },
	"create_directory": func(p string) map[string]any { return map[string]any{"path": p} },
	"list_directory":   func(p string) map[string]any { return map[string]any{"path": p} },
	"walk":             func(p string) map[string]any { return map[string]any{"path": p} },
	"memory_dump":      func(p string) map[string]any { return map[string]any{"path": p} },
	"put_file":         func(p string) map[string]any { return map[string]any{"path": p, "file": "tidy.ps1"} },
	"collect":          func(p string) map[string]any { return map[string]any{"paths": []any{`c:\ok`, p}} },
	"create_process":   func(p string) map[string]any { return map[string]any{"program": p} },
}

// TestPathsStayOnTheEndpoint: for every action with a path.
func TestPathsStayOnTheEndpoint(t *testing.T) {
	away := []string{
		`\\store.example\share\plan.doc`, "//store.example/share/plan.doc", `\/store.example\share`, `/\store.example\share`,
		`\\store.example@SSL\DavWWWRoot\plan.doc`, `\\?\UNC\store.example\share\plan.doc`, `\\?\c:\users\a`, "//?/c:/users/a", `\??\c:\users\a`,
		`\\.\PhysicalDrive0`, "//./PhysicalDrive0", `\\.\pipe\x`, `\\.\GLOBALROOT\Device\x`, `\Device\HarddiskVolume2\a.exe`, `\GLOBAL??\c:\a`, `\SystemRoot\a`,
		`\windows\a.exe`, "\uff3c\uff3cstore.example\\share",
		`c:\temp\nul`, `c:\temp\COM1.txt`, `aux`, `c:\temp\con:x`, `c:\lpt¹`,
		"/dev/sda", "/tmp/../dev/sda", "/net/store/x", "/proc/sysrq-trigger", "/sys/power/state", "/Network/Servers/x",
	}
	here := []string{`c:\users\ann\evil.exe`, `C:\`, "/tmp/evil", "/dev/shm/evil", "/devices/x", "/network-share", `c:\temp\common.txt`, `c:\console\a`, `c:\progra~1\x.exe`, `c:\temp\notes.txt:hidden`}
	for _, a := range All() {
		if _, reaches := a.Params().FieldByName("Reach"); reaches && pathParams[a.Spec().Name] == nil && a.Spec().Name != "run" {
			t.Errorf("%s takes paths and is not in this test", a.Spec().Name)
		}
	}
	for uses, with := range pathParams {
		a, _ := Lookup(uses)
		for _, p := range away {
			if _, err := Decode(a, with(p)); err == nil {
				t.Errorf("%s takes %q", uses, p)
			}
			if strings.Contains(p, "..") {
				continue
			}
			meant := with(p)
			meant["remote"] = true
			if _, err := Decode(a, meant); err != nil {
				t.Errorf("%s refuses %q with remote: %v", uses, p, err)
			}
		}
		for _, p := range here {
			if _, err := Decode(a, with(p)); err != nil {
				t.Errorf("%s refuses %q: %v", uses, p, err)
			}
		}
	}
}

// TestPathsNameOneFile: what Windows would read as another file is refused, with
// remote too, because a guard could not see it.
func TestPathsNameOneFile(t *testing.T) {
	a, _ := Lookup("delete_file")
	for path, want := range map[string]string{
		`c:\a.exe.`:             "dots and blanks",
		`c:\a.exe `:             "dots and blanks",
		`c:\dir.\a.exe`:         "dots and blanks",
		`c:\a.exe::$DATA`:       "stream by its type",
		`c:\a.exe:hidden:$DATA`: "stream by its type",
		`c:\a\..\b`:             "goes through",
		`c:\a\.\b`:              "goes through",
		"/tmp/../etc/passwd":    "goes through",
		"file://h/share/a":      "is an address",
		`c:\a<`:                 "pattern",
		`c:\a"`:                 "pattern",
		"c:\\a\x1b":             "control character",
		"c:\\a\x00.txt":         "NUL",
	} {
		if _, err := Decode(a, map[string]any{"path": path, "remote": true}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error = %v, want %q", path, err, want)
		}
	}
	if _, err := Decode(a, map[string]any{"path": `\\?\c:\a.exe. `, "remote": true}); err != nil {
		t.Errorf("a path that Windows takes as it stands: %v", err)
	}
}

func TestEventTextIsNoOption(t *testing.T) {
	type with = map[string]any
	cases := []struct {
		name    string
		os      edr.OS
		written any
		args    []any
		more    with
		want    string // "": it runs
	}{
		{"plain", edr.Windows, []any{"-sS", "${{ process.name }}"}, []any{"-sS", "plan.cfg"}, nil, ""},
		{"hyphen", edr.Windows, []any{"-sS", "${{ process.name }}"}, []any{"-sS", "-Kplan.cfg"}, nil, "begins with -"},
		{"slash on Windows", edr.Windows, []any{"${{ process.name }}"}, []any{"/x"}, nil, "begins with /"},
		{"path on Linux", edr.Linux, []any{"${{ process.path }}"}, []any{"/tmp/x"}, nil, ""},
		{"hyphen on Linux", edr.Linux, []any{"${{ process.name }}"}, []any{"-x"}, nil, "begins with -"},
		{"response file", edr.Windows, []any{"${{ process.name }}"}, []any{"@x"}, nil, "begins with @"},
		{"blank before", edr.Windows, []any{"${{ process.name }}"}, []any{" -x"}, nil, "begins with -"},
		{"what an ANSI program reads as a hyphen", edr.Windows, []any{"${{ process.name }}"}, []any{"\uff0dx"}, nil, "begins with"},
		{"list of event text", edr.Windows, "${{ binary.paths }}", []any{"a", "-x"}, nil, "begins with -"},
		{"after the rule's own text", edr.Windows, []any{"--name=${{ process.name }}"}, []any{"--name=-x"}, nil, ""},
		{"after the rule's hyphen", edr.Windows, []any{"-${{ process.name }}"}, []any{"--x"}, nil, "begins with -"},
		{"after --", edr.Windows, []any{"--", "${{ process.name }}"}, []any{"--", "-x"}, nil, ""},
		{"-- of the flags", edr.Windows, []any{"${{ process.name }}"}, []any{"-x"}, with{"flags": []any{"--"}}, ""},
		{"-- from the event", edr.Windows, []any{"${{ process.name }}", "${{ process.name }}"}, []any{"--", "-x"}, nil, "begins with -"},
		{"allowed", edr.Windows, []any{"${{ process.name }}"}, []any{"-x"}, with{"allow_options": true}, ""},
		{"fixed, with the escape of templates", edr.Windows, []any{"-$${{ x"}, []any{"-${{ x"}, nil, ""},
		{"unknown template", edr.Windows, nil, []any{"-x"}, nil, "begins with -"},
		{"share", edr.Windows, []any{"${{ process.path }}"}, []any{`\\host\share`}, nil, "another computer"},
		{"share behind the rule's text", edr.Windows, []any{"/out:${{ process.path }}"}, []any{`/out:\\host\share`}, nil, "another computer"},
		{"share inside", edr.Windows, []any{"${{ process.path }}"}, []any{`x=\\host\share`}, nil, "another computer"},
		{"share allowed", edr.Windows, []any{"${{ process.path }}"}, []any{`\\host\share`}, with{"remote": true}, ""},
		{"share of the rule", edr.Windows, []any{`\\host\share`}, []any{`\\host\share`}, nil, ""},
		{"path with doubled separators", edr.Windows, []any{"${{ process.path }}"}, []any{`c:\\a\\b`}, nil, ""},
		{"address", edr.Windows, []any{"${{ process.path }}"}, []any{"https://example.com/x"}, nil, ""},
		{"device", edr.Linux, []any{"${{ process.path }}"}, []any{"/dev/sda"}, nil, "device"},
	}
	for _, c := range cases {
		for _, uses := range []string{"create_process", "run"} {
			t.Run(uses+"/"+c.name, func(t *testing.T) {
				call := with{"args": c.args}
				for key, value := range c.more {
					call[key] = value
				}
				call["program"] = "curl.exe"
				if uses == "run" {
					delete(call, "program")
					call["file"] = "tidy.sh"
				}
				e := newEndpoint(c.os)
				task := e.task()
				task.Scripts = scripts{"tidy.sh": "x"}
				if c.written != nil {
					task.With = with{"args": c.written}
				}
				_, err := run(t, task, uses, call)
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || len(e.lines) > 0) {
					t.Errorf("error = %v, want %q; ran %q", err, c.want, e.lines)
				}
			})
		}
	}
}

// TestStepsWrongWhateverTheirValues: parameters that are wrong together, one of
// them known only when the step runs.
func TestStepsWrongWhateverTheirValues(t *testing.T) {
	type with = map[string]any
	for _, c := range []struct {
		uses string
		with with
		want string // "": in order
	}{
		{"kill_process", with{"pid": "${{ process.pid }}"}, "a pid alone"},
		{"kill_process", with{"pid": "${{ process.pid }}", "guid": "${{ process.guid }}"}, ""},
		{"kill_process", with{"max": 3}, "say which process"},
		{"create_process", with{"program": "cmd.exe", "args": []any{"${{ process.path }}"}}, "may run its arguments as code"},
		{"create_process", with{"program": "python3.12", "args": "${{ binary.paths }}"}, "may run its arguments as code"},
		{"create_process", with{"program": "curl.exe", "args": []any{"${{ process.path }}"}}, ""},
		{"delete_registry_key", with{"key": "${{ reg.path }}"}, ""},
		{"set_registry_value", with{"key": `HKLM\a\b`, "data": "${{ process.pid }}", "type": "REG_DWORD"}, ""},
		{"collect", with{"paths": "${{ binary.paths }}"}, ""},
		{"collect", with{"max_files": 3}, "nothing to collect"},
		{"delete_file", with{"path": `\\host\share\x`}, "another computer"},
		{"delete_file", with{"path": "${{ file.path }}", "remote": "${{ process.already_running }}"}, "fixed text"},
	} {
		problems := Compile([]Step{{ID: "s", Uses: c.uses, With: c.with}}, site())
		if c.want == "" && len(problems) > 0 || c.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Message, c.want)) {
			t.Errorf("%s %v: %v, want %q", c.uses, c.with, problems, c.want)
		}
	}
}
