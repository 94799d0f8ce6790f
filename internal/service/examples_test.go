package service

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/examples"
	"edrpipe/internal/looseid"
	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

// exampleCase is an example rule, the endpoint that it acts on, the event that
// makes it act, and what must be so afterwards.
type exampleCase struct {
	rule   string
	sensor edrsim.SensorSpec
	event  events.Event
	after  func(sim *edrsim.Server, sensor int) bool
	state  jobs.State // that the job ends in; empty: the effect is enough, the job goes on
}

const ifeo = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\sethc.exe\Debugger`

func exampleCases() []exampleCase {
	watchlist := func(name, path string) events.Event {
		return events.Event{
			Event: events.Meta{Type: "watchlist.hit.process", Kind: events.WatchlistHit}, Watchlist: events.Watchlist{ID: 1, Name: name},
			Sensor:  events.Sensor{OS: "windows", Type: "workstation"},
			Process: events.Process{Path: path, Name: `u.exe`, MD5: "5d41402abc4b2a76b9719d911017c592"},
		}
	}
	started := func(pid int, path, line, parent string) events.Event {
		return events.Event{
			Event: events.Meta{Type: "ingress.event.procstart", Kind: events.ProcessStart}, Sensor: events.Sensor{Type: "workstation"},
			Process: events.Process{PID: pid, Path: path, Name: path[strings.LastIndexByte(path, '\\')+1:], CommandLine: line, Parent: events.Parent{Name: parent}},
		}
	}
	runs := func(path string) edrsim.SensorSpec {
		return edrsim.SensorSpec{Processes: []edrsim.ProcessSpec{{PID: 4712, Path: path}}, Files: []edrsim.FileSpec{{Path: path, Content: "MZ"}}}
	}
	killed := func(sim *edrsim.Server, sensor int) bool { return guidOf(sim, sensor, 4712) == "" }
	isolated := func(sim *edrsim.Server, sensor int) bool { return sim.State().Sensors[sensor-1].Isolated }
	canary := events.Event{
		Event: events.Meta{Type: "ingress.event.filemod", Kind: events.FileChange}, Sensor: events.Sensor{Type: "workstation"},
		Process: events.Process{PID: 4712, Path: `c:\l.exe`, Name: "l.exe"}, File: events.File{Path: `c:\users\public\documents\!accounts\accounts.csv`, Action: "write"},
	}
	backdoor := events.Event{
		Event: events.Meta{Type: "ingress.event.regmod", Kind: events.Registry}, Reg: events.Reg{Path: ifeo, Action: "writeval"},
	}
	return []exampleCase{
		{"kill-office-shell", runs(`c:\windows\cmd.exe`), started(4712, `c:\windows\cmd.exe`, "cmd", "winword.exe"), killed, jobs.Succeeded},
		{"shadow-copies-deleted", runs(`c:\windows\vssadmin.exe`), started(4712, `c:\windows\vssadmin.exe`, "vssadmin delete shadows /all", "x.exe"),
			func(sim *edrsim.Server, sensor int) bool { return killed(sim, sensor) && isolated(sim, sensor) }, jobs.Succeeded},
		{"canary-touched", runs(`c:\l.exe`), canary,
			func(sim *edrsim.Server, sensor int) bool { return killed(sim, sensor) && isolated(sim, sensor) }, jobs.Succeeded},
		{"watchlist-prepare", edrsim.SensorSpec{}, watchlist("PREPARE: office", ""), func(sim *edrsim.Server, sensor int) bool {
			got, err := sim.ReadFile(sensor, `c:\users\public\documents\!accounts\accounts.csv`)
			return err == nil && len(got) > 50
		}, jobs.Succeeded},
		{"watchlist-ban", edrsim.SensorSpec{}, watchlist("BAN: miners", `c:\u.exe`),
			func(sim *edrsim.Server, _ int) bool { return sim.Banned("5d41402abc4b2a76b9719d911017c592") }, jobs.Succeeded},
		{"watchlist-isolate", edrsim.SensorSpec{}, watchlist("ISOLATE: beacon", ""), isolated, jobs.Succeeded},
		{"watchlist-clean", runs(`c:\users\public\u.exe`), watchlist("CLEAN: adware", `c:\users\public\u.exe`), func(sim *edrsim.Server, sensor int) bool {
			_, err := sim.ReadFile(sensor, `c:\users\public\u.exe`)
			return errors.Is(err, os.ErrNotExist) && killed(sim, sensor)
		}, ""}, // it looks again two minutes later
		{"logon-screen-backdoor", edrsim.SensorSpec{Registry: []edrsim.RegistrySpec{{Path: ifeo, Data: `c:\windows\system32\cmd.exe`}}}, backdoor,
			func(*edrsim.Server, int) bool { return true }, jobs.Succeeded},
	}
}

// TestExamplesAct: each event, put on the bus, has the example's effect on the
// simulated endpoint. All examples are in force, and what asks people is allowed.
func TestExamplesAct(t *testing.T) {
	if testing.Short() {
		t.Skip("takes twenty seconds")
	}
	t.Parallel()
	cases := exampleCases()
	var fleet []edrsim.SensorSpec
	for _, c := range cases {
		fleet = append(fleet, c.sensor)
	}
	sim := edrsim.New(edrsim.Config{Fleet: fleet, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	files := t.TempDir()
	copyExamples(t, examples.Scripts, "scripts", files)
	p := newPlace(t, sim, listProcesses, "scripts: "+files)
	copyExamples(t, examples.Rules, "rules", filepath.Join(p.dir, "rules"))
	r := p.run()
	for i, c := range cases {
		r.publish(exampleLine(t, sim, c.event, i+1))
	}
	for i, c := range cases {
		await(t, time.Minute, c.rule, func() bool {
			all := r.jobs("")
			at := slices.IndexFunc(all, func(j web.JobLine) bool {
				return j.Rule == c.rule && j.Sensor == looseid.ID(looseid.Text(i+1)) && j.Reason != jobs.ReasonDelayed
			}) // what is delayed undoes another
			if at < 0 {
				return false
			}
			j := all[at]
			if j.State == jobs.Failed {
				t.Fatalf("%s failed: %s %s", c.rule, j.Reason, j.Detail)
			}
			r.allow(j)
			return (c.state == "" || j.State == c.state) && c.after(sim, i+1)
		})
	}
}

// allow answers what a job asks people.
func (r running) allow(j web.JobLine) {
	r.t.Helper()
	for _, a := range j.Asks {
		if a.Given > 0 {
			continue
		}
		err := r.Service.console.Answer(r.t.Context(), web.User{Name: "lea", Groups: []string{"soc-leads"}}, j.ID, web.Answer{Step: a.Step, Allow: true})
		if err != nil && !errors.Is(err, jobs.ErrRefused) {
			r.t.Fatal(err)
		}
	}
}

func guidOf(sim *edrsim.Server, sensor, pid int) string {
	running, err := sim.Processes(sensor)
	if err != nil {
		return ""
	}
	for _, p := range running {
		if p.PID == pid {
			return p.GUID
		}
	}
	return ""
}

// exampleLine is the event of a sensor in our own form.
func exampleLine(t *testing.T, sim *edrsim.Server, e events.Event, sensor int) string {
	t.Helper()
	e.Event.Time, e.Sensor.ID, e.Sensor.IDs = time.Now(), looseid.Text(sensor), []string{looseid.Text(sensor)}
	e.Process.GUID = guidOf(sim, sensor, e.Process.PID)
	line, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(line)
}

func copyExamples(t *testing.T, from fs.FS, root, to string) {
	t.Helper()
	sub, err := fs.Sub(from, root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, sub); err != nil {
		t.Fatal(err)
	}
}
