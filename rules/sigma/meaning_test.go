package sigma

import (
	"fmt"
	"strings"
	"testing"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// process is an event of a process, as a Sigma rule of process_creation sees it.
func process(image, commandLine, parent string) *events.Event {
	e := &events.Event{}
	e.Event.Kind = events.ProcessStart
	e.Process.Path, e.Process.CommandLine, e.Process.Parent.Path = image, commandLine, parent
	return e
}

func connection(direction, remote string, remotePort int, local string, localPort int) *events.Event {
	e := &events.Event{}
	e.Event.Kind = events.Network
	e.Net.Direction, e.Net.RemoteIP, e.Net.RemotePort, e.Net.LocalIP, e.Net.LocalPort = direction, remote, remotePort, local, localPort
	return e
}

func key(path string) *events.Event {
	e := &events.Event{}
	e.Event.Kind, e.Reg.Path, e.Reg.Action = events.Registry, path, "writeval"
	return e
}

// What a converted rule says of an event must be what Sigma says of it.
func TestMeaning(t *testing.T) {
	linux := process("/bin/sh", "", "")
	linux.Sensor.OS = "linux"
	running := process(`c:\a.exe`, "", "")
	running.Process.AlreadyRunning = true
	tests := []struct {
		name     string
		category string
		search   string // of a selection
		event    *events.Event
		want     bool
	}{
		{"case does not count", "process_creation", `{Image|endswith: '\CMD.exe'}`, process(`c:\windows\cmd.EXE`, "", ""), true},
		{"cased", "process_creation", `{CommandLine|contains|cased: IEX}`, process("", "iex", ""), false},
		{"the whole name", "process_creation", `{Image|endswith: '\cmd.exe'}`, process(`c:\notcmd.exe`, "", ""), false},
		{"one of a list", "process_creation", `{Image: ['c:\a.exe', 'C:\B.exe']}`, process(`c:\b.exe`, "", ""), true},
		{"all of a list", "process_creation", `{CommandLine|contains|all: [a, b]}`, process("", "a", ""), false},
		{"fields are joined by and", "process_creation", `{Image: 'c:\a.exe', CommandLine: x}`, process(`c:\a.exe`, "y", ""), false},
		{"wildcard matches nothing too", "process_creation", `{CommandLine: 'a*b'}`, process("", "ab", ""), true},
		{"wildcards cover the whole text", "process_creation", `{CommandLine: 'a*b'}`, process("", "xab", ""), false},
		{"wildcards cross lines", "process_creation", `{CommandLine: 'a*b?'}`, process("", "a\nbc", ""), true},
		{"escaped wildcard", "process_creation", `{CommandLine: 'a\*b'}`, process("", "aXb", ""), false},
		{"escaped wildcard is itself", "process_creation", `{CommandLine: 'A\*b'}`, process("", "a*B", ""), true},
		{"both", "process_creation", `{CommandLine: 'a\*b*c'}`, process("", "A*B...c", ""), true},
		{"backslash before a wildcard", "process_creation", `{Image: 'c:\users\\*\a.exe'}`, process(`c:\users\ann\a.exe`, "", ""), true},
		{"star alone wants the field", "process_creation", `{CommandLine: '*'}`, process("", "", ""), false},
		{"null", "process_creation", `{ParentImage: null}`, process("x", "", ""), true},
		{"exists", "process_creation", `{ParentImage|exists: true}`, process("x", "", ""), false},
		{"regular expression keeps case", "process_creation", `{CommandLine|re: 'ab+c'}`, process("", "ABBC", ""), false},
		{"regular expression anywhere", "process_creation", `{CommandLine|re: 'ab+c'}`, process("", "xabbcx", ""), true},
		{"windash", "process_creation", `{CommandLine|contains|windash: ' -f '}`, process("", "a /f b", ""), true},
		{"base64offset", "process_creation", `{CommandLine|base64offset|contains: 'foobar'}`, process("", "eGZvb2Jhcg==", ""), true},
		{"another system", "process_creation", `{Image|endswith: sh}`, linux, false},
		{"ran before the sensor", "process_creation", `{Image: 'c:\a.exe'}`, running, false},
		{"destination of an outbound connection", "network_connection", `{DestinationPort: 22}`, connection("outbound", "1.2.3.4", 22, "10.0.0.1", 50000), true},
		{"destination of an inbound connection is local", "network_connection", `{DestinationPort: 22}`, connection("inbound", "1.2.3.4", 50000, "10.0.0.1", 22), true},
		{"its source is remote", "network_connection", `{SourceIp|cidr: '10.0.0.0/8'}`, connection("inbound", "1.2.3.4", 50000, "10.0.0.1", 22), false},
		{"users' keys", "registry_set", `{TargetObject|startswith: 'HKU\'}`, key(`HKEY_USERS\S-1-5-21\Software`), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := fmt.Sprintf("title: T\nlogsource: {category: %s, product: windows}\ndetection:\n  selection: %s\n  condition: selection\n", tt.category, tt.search)
			results := Convert("t", []byte(file))
			if len(results) != 1 || results[0].Err != nil {
				t.Fatalf("not converted: %+v", results)
			}
			when := results[0].Rule.When
			program, err := expression.EventScope().Condition(when)
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			got, _, err := program.Truth(tt.event, tt.event.Sensor.Unknown())
			if err != nil || got != expression.TruthOf(tt.want) {
				t.Errorf("%s = %v, %v; want %v", when, got, err, tt.want)
			}
		})
	}
}

// Every fixture that is converted must be an expression of the language, and
// must not be one that is true of everything.
func TestConvertedFixturesCompileAndRefuseTheEmptyEvent(t *testing.T) {
	for _, r := range fixtures(t) {
		if r.Rule == nil {
			continue
		}
		program, err := expression.EventScope().WithLists(listNames(r.Rule.Lists)).Condition(r.Rule.When)
		if err != nil {
			t.Errorf("%s: %v", r.Title, err)
			continue
		}
		if got, err := program.Bool(&events.Event{}); got || err != nil {
			t.Errorf("%s of an empty event = %v, %v", r.Title, got, err)
		}
		if strings.Contains(r.Rule.When, "\n") {
			t.Errorf("%s: the condition has several lines", r.Title)
		}
	}
}
