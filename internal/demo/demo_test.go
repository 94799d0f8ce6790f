package demo

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFleetCanBeSimulated(t *testing.T) {
	if err := (edrsim.Config{Fleet: Fleet()}).Validate(); err != nil {
		t.Error(err)
	}
}

// TestStoryIsWhatAnEDRSends: every message but the broken one is decoded without a
// flaw, and each event but the nameless one has its sensor.
func TestStoryIsWhatAnEDRSends(t *testing.T) {
	var sensors []string
	broken := 0
	for _, b := range Story(time.Now(), guid(Ann, 4711)) {
		found, rejects := new(events.Decoder).Decode(&b.Message)
		broken += len(rejects)
		for _, e := range found {
			sensors = append(sensors, e.Sensor.ID)
			if e.Event.Kind == events.Other || e.Event.Time.IsZero() {
				t.Errorf("%s: kind %s, time %v", b.Caption, e.Event.Kind, e.Event.Time)
			}
		}
	}
	want := []int{Ann, Bob, Bob, Carol, DB, Dan, Eve, Slow, Bob, 0}
	if len(sensors) != len(want) || broken != 1 {
		t.Fatalf("sensors %v and %d broken, want %v and 1", sensors, broken, want)
	}
	for i := range want {
		id := strconv.Itoa(want[i])
		if want[i] == 0 {
			id = ""
		}
		if sensors[i] != id {
			t.Errorf("event %d is of sensor %q, want %q", i, sensors[i], id)
		}
	}
}

func TestNarratorTellsWhatTheBusSays(t *testing.T) {
	var out bytes.Buffer
	n := &Narrator{Screen: &Screen{Out: &out, Start: time.Now()}}
	hear := func(typ string, data any) {
		t.Helper()
		b, err := json.Marshal(map[string]any{"type": typ, "data": data})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Hear(b); err != nil {
			t.Fatal(err)
		}
	}
	hear("edrpipe.job.transition.v1", jobs.TransitionNotice{Job: "j1", Rule: "r", Host: "H", State: jobs.Queued})
	hear("edrpipe.job.transition.v1", jobs.TransitionNotice{Job: "j1", Host: "H", State: jobs.Parked, Reason: jobs.ReasonOffline})
	hear("edrpipe.job.step.v1", jobs.StepNotice{Job: "j1", Uses: "get_file", State: jobs.StepOK, Output: json.RawMessage(`{"artifact":{"path":"c:\\x","size":3,"sha256":"0123456789abcdef"}}`)})
	hear("edrpipe.job.result.v1", jobs.ResultNotice{Job: "j1", Rule: "r", Host: "H", State: jobs.Succeeded})
	hear("edrpipe.decision.v1", Decision{Rule: "r", Reason: "no_sensor"})
	for _, want := range []string{"rule r wants job j1 on H", "job j1 on H: offline", `took c:\x, 3 bytes, SHA-256 0123456789ab…`, "job j1 (r) on H succeeded", "rule r: no_sensor"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not told: %q in\n%s", want, out.String())
		}
	}
	if n.Begun() != 1 || n.Ended() != 1 || n.Refused != 1 {
		t.Errorf("counted %d begun, %d ended, %d refused, want one each", n.Begun(), n.Ended(), n.Refused)
	}
	if err := n.Hear([]byte("{")); err == nil {
		t.Error("a broken notice was taken")
	}
}

// TestCloudStoryIsWhatAForwarderWrites: each line is decoded without a flaw, is of its
// device and organisation, and the alert that comes again is the same alert.
func TestCloudStoryIsWhatAForwarderWrites(t *testing.T) {
	cfg := edrsim.Config{Kind: edrsim.KindCloud, OrgKey: OrgKey, Fleet: CloudFleet()}
	sim := edrsim.New(cfg)
	defer sim.Close()
	beats, err := CloudStory(time.Now(), sim)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		sensor, host, kind string
	}{{"6231047", "FIN-WS-014", "watchlist_hit"}, {"6231048", "WEB-01", "watchlist_hit"}, {"6231049", "HR-WS-003", "alert"}, {"6231047", "FIN-WS-014", "watchlist_hit"}, {"6231049", "HR-WS-003", "alert"}}
	var alerts []string
	for i, b := range beats {
		found, rejects := new(events.Decoder).Decode(&b.Message)
		if len(found) != 1 || len(rejects) != 0 {
			t.Fatalf("%s: %d events, rejects %v", b.Caption, len(found), rejects)
		}
		e := found[0]
		if e.Sensor.ID != want[i].sensor || e.Sensor.Hostname != want[i].host || string(e.Event.Kind) != want[i].kind || e.Event.Server != OrgKey || e.Event.Time.IsZero() {
			t.Errorf("%s: sensor %s, host %s, kind %s, server %s, time %v", b.Caption, e.Sensor.ID, e.Sensor.Hostname, e.Event.Kind, e.Event.Server, e.Event.Time)
		}
		if e.Event.Kind == events.AlertRaised {
			alerts = append(alerts, e.Alert.Key)
		}
	}
	if len(alerts) != 2 || alerts[0] != alerts[1] || alerts[0] == "" {
		t.Errorf("keys of the alerts: %q, want the same twice", alerts)
	}
}

// TestSidesTable: each job counts for its own server, and the table fits a terminal.
func TestSidesTable(t *testing.T) {
	ok := func(uses ...string) (steps []jobs.StepNotice) {
		for _, u := range uses {
			steps = append(steps, jobs.StepNotice{Uses: u, State: jobs.StepOK})
		}
		return steps
	}
	results := []jobs.ResultNotice{
		{Server: "demo", State: jobs.Succeeded, Steps: ok("isolate")},
		{Server: "demo", State: jobs.Failed, Steps: []jobs.StepNotice{{Uses: "isolate", State: jobs.StepFailed}}},
		{Server: "cloud", State: jobs.Succeeded, Steps: ok("note_alert", "close_alert")},
		{Server: "cloud", State: jobs.Succeeded, Steps: ok("ban_hash")},
	}
	var sides []Side
	for _, s := range []Side{{Server: "demo", Kind: edrsim.KindEDR, BansBy: "MD5"}, {Server: "cloud", Kind: edrsim.KindCloud, BansBy: "SHA-256"}} {
		s.Sim = edrsim.New(edrsim.Config{Kind: s.Kind})
		defer s.Sim.Close()
		sides = append(sides, s)
	}
	got := map[string]string{}
	for line := range strings.Lines(sidesTable(sides, results)) {
		if len([]rune(strings.TrimRight(line, "\n"))) > 80 {
			t.Errorf("line longer than 80 columns: %q", line)
		}
		for _, name := range sideRows {
			if rest, found := strings.CutPrefix(strings.TrimSpace(line), name+" "); found {
				got[name] = strings.Join(strings.Fields(rest), " ")
			}
		}
	}
	for name, want := range map[string]string{
		"jobs": "2 2", "of them succeeded": "1 2", "endpoints isolated": "1 0", "hashes banned": "0 1, by SHA-256", "alerts noted, closed": "0, 0 1, 1",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}
