package edrsim_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
)

// FuzzCommand sends arbitrary bodies as commands: whatever comes, the server
// answers, runs what it took to an end, and shows it as JSON.
func FuzzCommand(f *testing.F) {
	for _, body := range []string{
		`{"name": "get file", "object": "C:\\test.txt", "offset": 1, "get_count": "2"}`,
		`{"name": "put file", "object": "C:\\x", "file_id": 1}`,
		`{"name": "directory list", "object": "C:\\[a-\\*"}`,
		`{"name": "create directory", "object": "\\\\?\\C:\\..\\x."}`,
		`{"name": "create process", "object": "cmd /c \"echo a > b & type b || del %TEMP%\\b\"", "wait": 1, "output_file": "C:\\o", "working_directory": "C:"}`,
		`{"name": "create process", "object": "cmd /c cmd /c cmd /c cmd /c cmd /c cmd /c cmd /c cmd /c cmd /c echo deep", "wait": true}`,
		`{"name": "kill", "object": -1}`,
		`{"name": "reg set value", "object": "HKLM\\SOFTWARE\\x", "value_data": -5, "value_type": "REG_DWORD", "overwrite": "true"}`,
		`{"name": "reg create key", "object": "HKLM\\\\a\\"}`,
		`{"name": "reg delete key", "object": "HKLM"}`,
		`{"name": "memdump", "object": "C:\\m", "compress": true}`,
		`{"name": "directory list", "object": null}`, `{"name": "directory list", "object": "\\"}`, `[]`, `{"name": {}}`,
	} {
		f.Add([]byte(body), false)
		f.Add([]byte(strings.ReplaceAll(body, `C:\\`, "/")), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, linux bool) {
		cfg := edrsim.Config{Token: "t", TimeScale: 1e-6, Seed: 1, Quirks: edrsim.Quirks{"unsupported-command": "error"}}
		if linux {
			cfg.Fleet = []edrsim.SensorSpec{{OS: "linux"}}
		}
		sim := edrsim.New(cfg)
		request(t, sim, "POST", "/api/v1/cblr/session", `{"sensor_id": 1}`)
		sim.Advance(33 * time.Second)
		r := httptest.NewRequest("POST", "/api/v1/cblr/session/1/command", strings.NewReader(string(body)))
		r.Header.Set("X-Auth-Token", "t")
		w := httptest.NewRecorder()
		sim.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			if w.Code != http.StatusBadRequest {
				t.Errorf("status = %d", w.Code)
			}
			return
		}
		for range 30 { // keepalives, for commands that take long
			sim.Advance(time.Minute)
			r := httptest.NewRequest("GET", "/api/v1/cblr/session/1/keepalive", nil)
			r.Header.Set("X-Auth-Token", "t")
			sim.ServeHTTP(httptest.NewRecorder(), r)
		}
		var got m
		if err := json.Unmarshal(request(t, sim, "GET", "/api/v1/cblr/session/1/command/1", ""), &got); err != nil {
			t.Error(err)
		}
		if code, _ := got["result_code"].(float64); got["status"] != "in progress" && (got["status"] == "complete") != (code == 0) {
			t.Errorf("status %v with result_code %v", got["status"], got["result_code"])
		}
	})
}

// FuzzRequest sends arbitrary bodies to everything else that takes one.
func FuzzRequest(f *testing.F) {
	routes := []struct{ method, path string }{{"POST", "/api/v1/cblr/session"}, {"PUT", "/api/v1/cblr/session/1"}, {"PUT", "/api/v1/sensor/1"}, {"POST", "/api/v1/banning/blacklist"},
		{"POST", "/api/v1/cblr/session/1/file"}, {"PUT", "/_sim/faults"}, {"POST", "/_sim/clock"}, {"POST", "/_sim/sensors/1/power"}}
	for i, body := range []string{`{"sensor_id": "1", "checkin_timeout": 5}`, `{"status": "close"}`, `{"network_isolation_enabled": 1, "notes": null, "event_log_flush_time": "Tue, 06 Feb 2018 12:00:00 GMT"}`,
		`{"md5hash": "d41d8cd98f00b204e9800998ecf8427e"}`, "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--b--\r\n", `{"hang": 0.1}`, `{"advance": "5m"}`, `{"on": true}`} {
		f.Add(i, []byte(body))
	}
	f.Fuzz(func(t *testing.T, route int, body []byte) {
		x := routes[uint(route)%uint(len(routes))]
		sim := edrsim.New(edrsim.Config{Token: "t", TimeScale: 1e-6, Seed: 1})
		request(t, sim, "POST", "/api/v1/cblr/session", `{"sensor_id": 1}`)
		sim.Advance(33 * time.Second)
		r := httptest.NewRequest(x.method, x.path, strings.NewReader(string(body)))
		r.Header.Set("X-Auth-Token", "t")
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		w := httptest.NewRecorder()
		sim.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %s %q = %d %s", x.method, x.path, body, w.Code, w.Body)
		}
		sim.State()
	})
}

// FuzzFleet parses arbitrary fleet files; what is taken can be simulated.
func FuzzFleet(f *testing.F) {
	f.Add([]byte("sensors:\n  - {os: linux, files: [{path: /x/y, content: z}]}\n"))
	f.Add([]byte("sensors:\n  - {count: 2, power: {awake_for: 1m}, registry: [{path: 'HKLM\\x\\y', type: REG_DWORD, data: '7'}]}\n"))
	f.Add([]byte("sensors:\n  - {os: linux, files: [{path: .}]} "))
	f.Add([]byte("sensors:\n  - {power: {awake_for: 1ns, asleep_for: 1ns}}"))
	f.Add([]byte("sensors:\n  - {processes: [{path: 'c:\\x', pid: 4}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fleet, err := edrsim.ParseFleet("fleet.yaml", data)
		if err != nil || len(fleet) > 10 {
			return
		}
		for i := range fleet {
			if fleet[i].Count > 10 {
				return
			}
		}
		sim := edrsim.New(edrsim.Config{Token: "t", Fleet: fleet, Seed: 1, TimeScale: 1e-6})
		sim.Advance(24 * time.Hour)
		if len(fleet) > 0 {
			sim.WriteFile(1, "x", nil)
		}
		sim.State()
	})
}
