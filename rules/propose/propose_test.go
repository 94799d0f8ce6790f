package propose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/rules"
)

// of is an event of a kind on one endpoint.
func of(kind, kindType string, fill func(*events.Event)) *events.Event {
	e := &events.Event{}
	e.Event = events.Meta{ID: "e1", Type: kindType, Kind: kind, Time: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)}
	e.Event.Received = e.Event.Time
	e.Sensor = events.Sensor{ID: "3", IDs: []string{"3"}, Hostname: "WS-ANN", Hostnames: []string{"WS-ANN"}}
	e.Process = events.Process{PID: 4711, GUID: "00000003-0000-1267-01da-ff710e784000"}
	if kind == events.ProcessStart {
		e.Process.User = `CORP\ann`
	}
	fill(e)
	return e
}

func TestConditions(t *testing.T) {
	for _, c := range []struct {
		name string
		e    *events.Event
		want []string
	}{
		{"a command line", of("process_start", "ingress.event.procstart", func(e *events.Event) {
			e.Process.Name, e.Process.Parent.Name = "powershell.exe", "winword.exe"
			e.Process.CommandLine = `"C:\Program Files\PowerShell\7\pwsh.exe" -NoP -enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQA C:\Users\ann\run.ps1 http://198.51.100.7/a`
		}), []string{
			"!process.already_running", `process.name == "powershell.exe"`, `process.parent.name == "winword.exe"`,
			`icontains(process.command_line, "-NoP")`, `icontains(process.command_line, "-enc")`, `icontains(process.command_line, "run.ps1")`,
		}},
		{"random names", of("process_start", "ingress.event.procstart", func(e *events.Event) {
			e.Process.Name, e.Process.Parent.Name = "a83f20b1.exe", "explorer.exe"
			e.Process.CommandLine = `a83f20b1.exe ann-report.doc /pid 4711 {3F2504E0-4F89-41D3-9A0C-0305E82C3301} \\WS-ANN\share 10.0.0.5`
		}), []string{"!process.already_running", `process.parent.name == "explorer.exe"`, `icontains(process.command_line, "/pid")`, `icontains(process.command_line, "share")`}},
		{"a file in a home directory", of("file", "ingress.event.filemod", func(e *events.Event) {
			e.Process.Name = "winword.exe"
			e.File = events.File{Path: `c:\users\ann\appdata\local\temp\tmp8812.exe`, Name: "tmp8812.exe", Ext: "exe", Action: "create"}
		}), []string{`process.name == "winword.exe"`, `file.action == "create"`, "file.path contains `\\appdata\\local\\temp\\`", `file.ext == "exe"`}},
		{"a unix path", of("file", "ingress.event.filemod", func(e *events.Event) {
			e.File = events.File{Path: "/home/ann/.ssh/authorized_keys", Name: "authorized_keys", Action: "write"}
		}), []string{`file.action == "write"`, `file.path contains "/.ssh/"`, `file.name == "authorized_keys"`}},
		{"a key of a user", of("registry", "ingress.event.regmod", func(e *events.Event) {
			e.Process.Name = "reg.exe"
			e.Reg = events.Reg{Path: `HKEY_USERS\s-1-5-21-1-2-3-1001\software\microsoft\windows\currentversion\run\x`, Action: "writeval"}
		}), []string{`process.name == "reg.exe"`, `reg.action == "writeval"`, "reg.path contains `\\microsoft\\windows\\currentversion\\run\\`"}},
		{"a connection", of("network", "ingress.event.netconn", func(e *events.Event) {
			e.Process.Name = "rundll32.exe"
			e.Net = events.Net{Direction: "outbound", RemoteIP: "198.51.100.7", RemotePort: 8443}
		}), []string{`process.name == "rundll32.exe"`, `net.direction == "outbound"`, "net.remote_port == 8443"}},
		{"a watchlist", of("watchlist_hit", "watchlist.hit.process", func(e *events.Event) {
			e.Watchlist.Name = "Lateral `movement` \\ \"x\""
		}), []string{"watchlist.name == \"Lateral `movement` \\\\ \\\"x\\\"\""}},
	} {
		made, err := From(t.Context(), c.e, Options{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		set, err := rules.LoadText("x.yaml", made.Text)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := set.Rules()[0].When; got != strings.Join(c.want, "\n&& ") {
			t.Errorf("%s: condition\n%s\nwant\n%s", c.name, got, strings.Join(c.want, "\n&& "))
		}
	}
}

func TestActions(t *testing.T) {
	e := of("process_start", "ingress.event.procstart", func(e *events.Event) {
		e.Process.Name, e.Process.Path, e.Process.MD5 = "evil.exe", `c:\temp\evil.exe`, strings.Repeat("a", 32)
	})
	for _, action := range Actions() {
		if made, err := From(t.Context(), e, Options{Action: action}); err != nil || !strings.Contains(string(made.Text), "uses: "+action) {
			t.Errorf("%s: %v\n%s", action, err, made.Text)
		}
	}
	e.Process.Path, e.Process.MD5, e.Process.PID = "", "", 0
	for action, want := range map[string]string{
		"get_file": "process.path", "ban_hash": "process.md5", "kill_process": "process.pid",
		"run": "by hand", "isolat": `did you mean "isolate"`,
	} {
		if _, err := From(t.Context(), e, Options{Action: action}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", action, err, want)
		}
	}
}

func TestNothingToProposeFrom(t *testing.T) {
	for want, e := range map[string]*events.Event{
		"by hand":           of("process_start", "ingress.event.procstart", func(e *events.Event) { e.Process.Name = "4711.exe" }),
		"names no endpoint": of("tamper", "ingress.event.tamper", func(e *events.Event) { e.Tamper.Type, e.Sensor = "CbServiceStopped", events.Sensor{} }),
		"would not act":     of("alert", "alert.cloud.watchlist", func(e *events.Event) { e.Alert.Type, e.Alert.Status = "WATCHLIST", "CLOSED" }),
		"has mistakes":      of("tamper", "ingress.event.tamper", func(e *events.Event) { e.Tamper.Type = "CbServiceStopped" }),
	} {
		if made, err := From(t.Context(), e, Options{ID: map[string]string{"has mistakes": "../x"}[want]}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q\n%s", err, want, made.Text)
		}
	}
}

// TestTheNextEventMatches: of each event that decoders are tested with, the rule that is
// proposed also acts on one that differs in all that passes.
func TestTheNextEventMatches(t *testing.T) {
	made, kinds := 0, map[string]bool{}
	for _, e := range decoded(t) {
		p, err := From(t.Context(), e, Options{})
		if err != nil {
			continue // it says why
		}
		set, err := rules.LoadText("x.yaml", p.Text)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := set.Rule(p.ID)
		next := another(e)
		if x := r.Explain(next); !x.Holds {
			t.Errorf("%s: %v\n%s", e.Event.Type, x.Reasons(), r.Rule.When)
		}
		made++
		kinds[e.Event.Kind] = true
	}
	if made < 30 || len(kinds) < 8 {
		t.Errorf("%d rules were proposed, of %d kinds", made, len(kinds))
	}
}

// another is the same thing at another time, elsewhere.
func another(e *events.Event) *events.Event {
	next := *e
	next.Event.ID, next.Event.Time = "another", e.Event.Time.Add(time.Hour)
	next.Event.Received = next.Event.Time
	next.Sensor.ID, next.Sensor.IDs = "77", []string{"77"}
	next.Sensor.Hostname, next.Sensor.Hostnames, next.Sensor.User = "OTHER", []string{"OTHER"}, "bob"
	p := &next.Process
	p.GUID, p.PID, p.User, p.MD5, p.SHA256, p.Start = "guid", 99, "bob", "", "", time.Time{}
	p.Parent.GUID, p.Parent.PID, p.Parent.MD5 = "parent", 98, ""
	next.Child.PID, next.Child.GUID, next.Target.PID, next.Target.GUID = 97, "child", 96, "target"
	next.Net.LocalIP, next.Net.RemoteIP = "192.0.2.1", "192.0.2.2"
	next.Alert.ID, next.Alert.Key = "alert", "key"
	return &next
}

func decoded(t *testing.T) []*events.Event {
	t.Helper()
	files, err := filepath.Glob("../../pkg/events/testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	slices.Sort(files)
	var all []*events.Event
	var d events.Decoder
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range events.ReadRecording(f, events.FormatAuto) {
			if err != nil {
				continue
			}
			for e, err := range d.Events(&rec.Message) {
				if err == nil {
					all = append(all, e)
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
