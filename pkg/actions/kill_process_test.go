package actions

import (
	"slices"
	"strings"
	"testing"

	"edrpipe/pkg/edr"
)

func TestKillProcess(t *testing.T) {
	evil := edr.Process{PID: 4711, GUID: "0000002a-0000-1267-01d2-000000000001", Path: `c:\users\x\evil.exe`}
	twin := edr.Process{PID: 4712, GUID: "0000002a-0000-1268-01d2-000000000002", Path: `c:\users\x\evil.exe`}
	other := edr.Process{PID: 4711, GUID: "0000002a-0000-1267-01d9-999999999999", Path: `c:\windows\system32\svchost.exe`}
	lsass := edr.Process{PID: 600, GUID: "g", Path: `c:\windows\system32\lsass.exe`}
	cases := []struct {
		name    string
		running []edr.Process
		with    map[string]any
		killed  []int
		wantErr string
		reused  bool
	}{
		{"by pid and guid", []edr.Process{evil, twin}, map[string]any{"pid": 4711, "guid": strings.ToUpper(evil.GUID)}, []int{4711}, "", false},
		{"a reused pid is left alone: guid", []edr.Process{other}, map[string]any{"pid": 4711, "guid": evil.GUID}, nil, "", true},
		{"a reused pid is left alone: name", []edr.Process{other}, map[string]any{"pid": 4711, "name": "evil.exe"}, nil, "", true},
		{"gone", []edr.Process{lsass}, map[string]any{"pid": 4711, "guid": evil.GUID}, nil, "", false},
		{"by name, all of them", []edr.Process{evil, twin, lsass}, map[string]any{"name": "EVIL.exe"}, []int{4711, 4712}, "", false},
		{"more than max: none", []edr.Process{evil, twin}, map[string]any{"name": "evil.exe", "max": 1}, nil, "max is 1", false},
		{"by md5 of its image", []edr.Process{evil, lsass}, map[string]any{"md5": "4034a346ccee15292d823416f7510a2f"}, []int{4711}, "", false},
		{"pid alone is refused", []edr.Process{evil}, map[string]any{"pid": 4711}, nil, "a pid alone is not enough", false},
		{"nothing is refused", []edr.Process{evil}, map[string]any{}, nil, "say which process", false},
		{"what keeps Windows running", []edr.Process{lsass}, map[string]any{"name": "lsass.exe"}, nil, "keeps Windows running", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := newEndpoint(edr.Windows)
			e.processes = slices.Clone(c.running)
			e.files[evil.Path] = "evil"
			out, err := e.do(t, "kill_process", c.with)
			if got := errText(err); !strings.Contains(got, c.wantErr) || (c.wantErr == "") != (err == nil) {
				t.Fatalf("error = %v, want %q", err, c.wantErr)
			}
			if !slices.Equal(e.killed, c.killed) {
				t.Errorf("killed %v, want %v", e.killed, c.killed)
			}
			if err == nil && out.(KillProcessOutput).Reused != c.reused {
				t.Errorf("reused = %v, want %v", !c.reused, c.reused)
			}
			if err == nil && !e.already(t, "kill_process", c.with) {
				t.Error("after the kill the check does not find it done")
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
