package service

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
)

// TestWhyTakesAHostName: who knows only a host and a time learns what became of its
// events, with the clause that was false; and a dead EDR server hides none of it.
func TestWhyTakesAHostName(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Fleet: []edrsim.SensorSpec{{Hostname: "WS-ANN", OS: "windows"}}, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	r := newPlace(t, sim, listProcesses, "").run()
	event := func(pid int, path string) string {
		return fmt.Sprintf(`{"type":"ingress.event.procstart","sensor_id":1,"computer_name":"CORP\\ws-ann","timestamp":%d,"pid":%d,"path":"c:\\temp\\%s","process_guid":"00000001-0000-%04x-01da-ff710e784000","cb_server":"sim"}`, time.Now().Unix(), pid, path, pid)
	}
	r.publish(event(7, "evil.exe"), event(8, "good.exe"))
	await(t, 20*time.Second, "a job", func() bool { return len(r.jobs("ended")) == 1 })
	ask := func(about, process string) string {
		t.Helper()
		why, err := r.Service.console.Why(t.Context(), about, web.EventQuery{Process: process})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(why.Lines)
	}
	for _, want := range []string{"evil.exe started", "list: succeeded", "good.exe started", "no rule matched", `process.name == "evil.exe"`, "is online"} {
		if text := ask("ws-ann.corp.example", ""); !strings.Contains(text, want) {
			t.Errorf("why of the host does not say %q: %s", want, text)
		}
	}
	if text := ask("WS-ANN", "good"); strings.Contains(text, "evil.exe started") {
		t.Errorf("why of one process tells of another: %s", text)
	}
	sim.Close()
	if text := ask("sensor:1", ""); !strings.Contains(text, "does not answer") || !strings.Contains(text, "rule list") {
		t.Errorf("with a dead server why says %s", text)
	}
}
