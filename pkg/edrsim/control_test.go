package edrsim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
)

func TestControlChannel(t *testing.T) {
	c := start(t, frozen(3))
	s := c.activate(1)
	c.ended(s, m{"name": "create directory", "object": `C:\a`})
	c.ended(s, m{"name": "create directory", "object": `C:\a`})
	c.ended(s, m{"name": "process list"})
	c.ended(s, m{"name": "process list"})

	got := c.get("/_sim/counters")
	if got["commands"] != 4.0 || got["duplicates"] != 1.0 || got["sessions"].(m)["peak"] != 1.0 {
		t.Errorf("counters = %v", got)
	}
	if n := got["requests"].(m)["POST /api/v1/cblr/session/{sid}/command"]; n != 4.0 {
		t.Errorf("%v requests of commands, want 4", n)
	}
	want := m{"sensor_id": 1.0, "command": "create directory", "object": `C:\a`, "count": 2.0}
	if list := got["executions"].([]any); len(list) != 2 || !equal(list[0], want) {
		t.Errorf("executions = %v", list)
	}

	c.do("POST", "/_sim/sensors/2/power", m{"on": false}, 200)
	c.do("POST", "/_sim/sensors/9/power", m{"on": false}, 404)
	c.do("PUT", "/_sim/faults", m{"502": 0.5, "nonsense": 1}, 400)
	c.do("PUT", "/_sim/faults", m{"502": 1}, 200)
	c.do("GET", "/api/info", nil, 502)
	c.do("PUT", "/_sim/faults", m{}, 200)
	c.do("POST", "/_sim/faults/next", m{"name": "503", "method": "GET", "path": "info"}, 200)
	c.do("POST", "/_sim/faults/next", m{"name": "nonsense"}, 400)
	c.do("GET", "/api/info", nil, 503)
	c.get("/api/info")

	before := c.sim.Now()
	c.do("POST", "/_sim/clock", m{"advance": "1h"}, 200)
	c.do("POST", "/_sim/clock", m{"advance": "-1h"}, 400)
	if d := c.sim.Now().Sub(before); d < time.Hour || d > time.Hour+time.Second {
		t.Errorf("the clock has moved by %v", d)
	}
	state := c.get("/_sim/state")
	sensor := state["sensors"].([]any)[1].(m)
	if sensor["power"] != false || sensor["status"] != "Offline" || len(state["sessions"].([]any)) != 0 {
		t.Errorf("state = %v", state)
	}
	c.do("POST", "/_sim/counters/reset", m{}, 200)
	if got := c.sim.Counters(); got.Commands != 0 || got.Sessions.Opened != 0 || len(got.Requests) != 0 {
		t.Errorf("after a reset: %+v", got)
	}
}

func TestTokenIsRequiredEverywhere(t *testing.T) {
	c := start(t, frozen(1))
	for _, path := range []string{"/api/info", "/api/v1/cblr/session", "/_sim/counters", "/_sim/state", "/nowhere"} {
		for _, token := range []string{"", "wrong", c.sim.Token + "x"} {
			req, _ := http.NewRequest("GET", c.sim.URL+path, nil)
			req.Header.Set("X-Auth-Token", token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with token %q = %d, want 401", path, token, resp.StatusCode)
			}
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	c := start(t, frozen(1))
	s := c.activate(1)
	for _, tc := range []struct {
		method, path, body string
		status             int
		prefix             string
	}{
		{"GET", "/api/v1/sensor/7", "", 404, "Sensor 7 not found"},
		{"GET", "/api/v1/sensor/x", "", 404, "Sensor "},
		{"POST", "/api/v1/cblr/session", `{"sensor_id": 7}`, 404, "Sensor 7 not found"},
		{"POST", "/api/v1/cblr/session", `{"sensor_id": [1]}`, 400, ""},
		{"GET", "/api/v1/cblr/session/7", "", 404, "Session 7 not found"},
		{"POST", "/api/v1/cblr/session/7/command", `{"name": "kill"}`, 404, "Session 7 not found"},
		{"GET", s + "/command/7", "", 404, "Command 7 not found"},
		{"GET", s + "/file/7/content", "", 404, "File 7 not found"},
		{"POST", s + "/command", `{"object": "x"}`, 400, "command: name is missing"},
		{"POST", s + "/command", `{`, 400, "command: "},
		{"POST", s + "/command", `{"name": "put file", "object": "C:\\x", "file_id": 3}`, 400, "file 3 not found"},
		{"POST", s + "/file", `x`, 400, ""},
		{"POST", "/api/v1/banning/blacklist", `{"md5hash": "xyz"}`, 400, "md5hash: "},
		{"GET", "/api/v1/banning/blacklist/d41d8cd98f00b204e9800998ecf8427e", "", 404, "Blacklisted md5 hash d41d8cd98f00b204e9800998ecf8427e does not exist"},
		{"DELETE", "/api/v1/sensor/1", "", 405, ""},
		{"GET", "/api/v3/anything", "", 404, ""},
	} {
		status, body := c.raw(tc.method, tc.path, "", strings.NewReader(tc.body))
		if status != tc.status || !strings.HasPrefix(string(body), tc.prefix) {
			t.Errorf("%s %s = %d %q, want %d %q", tc.method, tc.path, status, body, tc.status, tc.prefix)
		}
	}
	c.get("/api/v1/sensor/1/") // a slash too many is nobody's fault
}

func TestSensorLists(t *testing.T) {
	c := start(t, frozen(250))
	page := c.get("/api/v2/sensor?start=200&rows=100&sort.col=computer_name&sort.dir=asc")
	if page["total_results"] != 250.0 || len(page["results"].([]any)) != 50 {
		t.Errorf("the last page has %d of %v", len(page["results"].([]any)), page["total_results"])
	}
	page = c.get("/api/v2/sensor?hostname=wks-000&rows=3&sort.dir=desc")
	if first := page["results"].([]any)[0].(m)["computer_name"]; first != "WKS-0009" || page["total_results"] != 8.0 {
		t.Errorf("first of %v is %v", page["total_results"], first)
	}
	if n := len(c.do("GET", "/api/v1/sensor?ip=10.20.0.24", nil, 200).([]any)); n != 11 {
		t.Errorf("%d sensors by address, want 11: .24 and .240 to .249", n)
	}
	c.do("PUT", "/api/v1/sensor/5", m{"group_id": 7}, 204)
	if n := len(c.do("GET", "/api/v1/sensor?groupid=7", nil, 200).([]any)); n != 1 {
		t.Errorf("%d sensors in group 7, want 1", n)
	}
	if g := c.get("/api/group/7"); g["num_sensors"] != 1.0 {
		t.Errorf("group = %v", g)
	}
	if got := c.get("/api/v1/sensor/statistics"); got["sensor_count"] != 250.0 || got["active_sensor_count"] != 250.0 {
		t.Errorf("statistics = %v", got)
	}
	for _, series := range []string{"queued", "activity", "resourcestatus"} {
		if n := len(c.do("GET", "/api/v1/sensor/1/"+series, nil, 200).([]any)); n != 1 {
			t.Errorf("%s has %d entries", series, n)
		}
	}
}

func TestBanning(t *testing.T) {
	c := start(t, frozen(1))
	const md5, base = "d41d8cd98f00b204e9800998ecf8427e", "/api/v1/banning/blacklist"
	c.do("POST", base, m{"md5hash": strings.ToUpper(md5), "text": "bad", "last_ban_time": "0", "enabled": true}, 200)
	if !c.sim.Banned(md5) {
		t.Error("it is not banned")
	}
	got := c.get(base + "/" + md5)
	if got["text"] != "bad" || got["enabled"] != true || got["username"] != "admin" || len(got["audit"].([]any)) != 1 {
		t.Errorf("ban = %v", got)
	}
	c.do("DELETE", base+"/"+md5, nil, 200)
	got = c.get(base + "/" + md5)
	if _, ok := got["text"]; ok || got["enabled"] != false || c.sim.Banned(md5) {
		t.Errorf("after delete: %v", got)
	}
	for i := range 5 {
		c.do("POST", base, m{"md5hash": strings.Repeat(string("abcdef"[i]), 32)}, 200)
	}
	if n := len(c.do("GET", base+"?count=4", nil, 200).([]any)); n != 4 {
		t.Errorf("%d bans, want 4", n)
	}
}

func TestFleetFile(t *testing.T) {
	fleet, err := edrsim.LoadFleet("testdata/fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg := frozen(0)
	cfg.Fleet = fleet
	c := start(t, cfg)
	if got := c.sim.Describe(); !strings.HasPrefix(got, "5 (4 windows, 1 linux)") {
		t.Errorf("fleet is %s", got)
	}
	s := c.activate(2)
	if got := c.ended(s, m{"name": "get file", "object": `C:\Users\alice\Downloads\invoice.exe`}); got["status"] != "complete" {
		t.Errorf("the file: %v", got)
	}
	if got := c.ended(s, m{"name": "reg query value", "object": `HKLM\SOFTWARE\Evil\Port`}); got["value"].(m)["value_data"] != 4444.0 {
		t.Errorf("the value: %v", got)
	}
	if got := c.ended(s, m{"name": "kill", "object": 4242}); got["status"] != "complete" {
		t.Errorf("the process: %v", got)
	}
	if got := c.get("/api/v1/sensor/4"); got["computer_name"] != "KIOSK-0004" || got["status"] != "Offline" {
		t.Errorf("sensor 4 is %v, %v", got["computer_name"], got["status"])
	}
	c.do("POST", "/api/v1/cblr/session", m{"sensor_id": 5}, 400)
}

func TestFleetFileMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"sensors:\n  - hostnam: x\n": `did you mean`,
		"sensors:\n  - os: beos\n":   "windows",
		"{}\n":                       "sensors",
		"sensors:\n  - command_latency: {format: {min: 1s}}": `no command is named "format"`,
	} {
		if _, err := edrsim.ParseFleet("fleet.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
