package propose

import (
	"slices"
	"testing"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// TestExceptionsCompile: a path that looks like a mistake in a rule costs no other
// proposal, and where the checker names another form, that one is proposed.
func TestExceptionsCompile(t *testing.T) {
	for _, tt := range []struct{ path, want, not string }{
		{`\??\C:\Windows\system32\conhost.exe`, "glob(process.path, `\\??\\C:\\Windows\\system32\\conhost.exe`)", ""},
		{`\??\c:\windows\system32\conhost.exe`, "process.path == `\\??\\c:\\windows\\system32\\conhost.exe`", ""},
		{`c:\temp\*\x.exe`, "glob(process.path, `c:\\temp\\*\\x.exe`)", ""},
		{`c:\\temp\\x.exe`, "", "process.path == `c:\\\\temp\\\\x.exe`"},
		{`c:/temp/x.exe`, "", `process.path == "c:/temp/x.exe"`},
		{`/opt/x*y/run`, `process.path == "/opt/x*y/run"`, ""},
		{"c:\\te`mp\\*.exe", "", ""},
	} {
		e := of("process_start", "ingress.event.procstart", func(e *events.Event) {
			e.Process = events.Process{Name: "conhost.exe", Path: tt.path, User: `CORP\ann`}
		})
		all := Exceptions(e)
		for _, when := range append(all, condition(e)...) {
			code, err := expression.EventScope().Condition(when)
			if err != nil {
				t.Errorf("%s: %s: %v", tt.path, when, err)
			} else if holds, err := code.Bool(e); err != nil || !holds {
				t.Errorf("%s: %s is not true of its event: %v", tt.path, when, err)
			}
		}
		if tt.want != "" && !slices.Contains(all, tt.want) || slices.Contains(all, tt.not) {
			t.Errorf("%s: %q, want %q and not %q", tt.path, all, tt.want, tt.not)
		}
		if !slices.Contains(all, "process.user == `CORP\\ann`") || !slices.Contains(all, `process.name == "conhost.exe"`) {
			t.Errorf("%s: other proposals are gone: %q", tt.path, all)
		}
	}
}

// TestConditionCompiles: a proposed rule leaves out what the checker refuses, too, in
// its condition and in the event of its test.
func TestConditionCompiles(t *testing.T) {
	e := of("module_load", "ingress.event.moduleload", func(e *events.Event) {
		e.Process = events.Process{Name: `a\b?.exe`}
		e.Module.Name, e.Module.Path = "x.dll", `\??\c:\some\what\x.dll`
	})
	if _, err := From(t.Context(), e, Options{}); err != nil {
		t.Error(err)
	}
	for _, when := range condition(e) {
		if _, err := expression.EventScope().Condition(when); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
}
