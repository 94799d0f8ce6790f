package edrsim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
)

// with is a frozen server with one quirk.
func with(t *testing.T, name, value string) *client {
	cfg := frozen(2)
	cfg.Quirks = edrsim.Quirks{name: value}
	return start(t, cfg)
}

// TestEveryQuirkIsSeenByAClient checks both sides of each quirk from outside: show
// gives what a client sees, which must be as said.
func TestEveryQuirkIsSeenByAClient(t *testing.T) {
	for name, tc := range quirkCases {
		for value, want := range tc.want {
			t.Run(name+"="+value, func(t *testing.T) {
				if got := fmt.Sprint(tc.show(with(t, name, value))); got != want {
					t.Errorf("a client sees %s, want %s", got, want)
				}
			})
		}
	}
	for _, q := range edrsim.AllQuirks() {
		if _, ok := quirkCases[q.Name]; !ok {
			t.Errorf("quirk %s is not tested", q.Name)
		}
	}
}

type quirkCase struct {
	want map[string]string
	show func(*client) any
}

// statusOf is an answer's status.
func (c *client) statusOf(method, path, body string) int {
	c.t.Helper()
	status, _ := c.raw(method, path, "", strings.NewReader(body))
	return status
}

// ended runs a command on a frozen server.
func (c *client) ended(session string, req m) m {
	c.t.Helper()
	cmd := c.do("POST", session+"/command", req, 200).(m)
	c.sim.Advance(time.Second)
	return c.get(fmt.Sprintf("%s/command/%v", session, cmd["id"]))
}

func (c *client) closed(sensor int) string {
	s := c.activate(sensor)
	c.do("PUT", s, m{"status": "close"}, 200)
	return s
}

var quirkCases = map[string]quirkCase{
	"active-only": {map[string]string{"honoured": "0", "ignored": "1"}, func(c *client) any {
		c.closed(1)
		return len(c.do("GET", "/api/v1/cblr/session?active_only=true", nil, 200).([]any))
	}},
	"address": {map[string]string{"mapped": "::ffff:10.20.0.1", "plain": "10.20.0.1"}, func(c *client) any { return c.get(c.activate(1))["address"] }},
	"licence": {map[string]string{"valid": "200 200 false", "expired": "200 200 true", "412": "412 412 true"}, func(c *client) any {
		session := c.statusOf("POST", "/api/v1/cblr/session", `{"sensor_id":1}`)
		ban := c.statusOf("POST", "/api/v1/banning/blacklist", `{"md5hash":"d41d8cd98f00b204e9800998ecf8427e"}`)
		expired := c.get("/api/v1/license")["license_expired"]
		c.do("POST", "/api/v1/license", m{"license": "NEW"}, 200)
		if again := c.statusOf("POST", "/api/v1/banning/blacklist", `{"md5hash":"d41d8cd98f00b204e9800998ecf8427e"}`); again != 200 {
			c.t.Errorf("a ban with a new licence: %d", again)
		}
		return fmt.Sprintf("%d %d %v", session, ban, expired)
	}},
	"cancel-status": {map[string]string{"cancel": "cancel", "canceled": "canceled", "cancelled": "cancelled"}, func(c *client) any {
		s := c.activate(1)
		c.do("POST", s+"/command", m{"name": "create process", "object": "ping x", "wait": true}, 200)
		c.do("POST", s+"/command", m{"name": "process list"}, 200)
		return c.do("PUT", s+"/command/2", m{"id": 2, "status": "cancel"}, 200).(m)["status"]
	}},
	"cblr": {map[string]string{"enabled": "true 200", "disabled": "false 412"}, func(c *client) any {
		return fmt.Sprint(c.get("/api/info")["cblrEnabled"], " ", c.statusOf("GET", "/api/v1/cblr/session", ""))
	}},
	"close-again": {map[string]string{"200": "200", "404": "404"}, func(c *client) any {
		return c.statusOf("PUT", c.closed(1), `{"status": "close"}`)
	}},
	"close-reply": {map[string]string{"close": "close", "active": "active"}, func(c *client) any {
		return c.do("PUT", c.activate(1), m{"status": "close"}, 200).(m)["status"]
	}},
	"closed-session": {map[string]string{"readable": "200 200", "gone": "404 404"}, func(c *client) any {
		s := c.closed(1)
		return fmt.Sprint(c.statusOf("GET", s, ""), " ", c.statusOf("GET", s+"/command", ""))
	}},
	"commands": {map[string]string{"serial": "pending", "parallel": "complete"}, func(c *client) any {
		s := c.activate(1)
		c.do("POST", s+"/command", m{"name": "create process", "object": "ping x", "wait": true}, 200)
		return c.ended(s, m{"name": "process list"})["status"]
	}},
	"duplicate-session": {map[string]string{"409": "409", "existing": "200", "new": "200", "503": "503"}, func(c *client) any {
		c.post(1)
		return c.statusOf("POST", "/api/v1/cblr/session", `{"sensor_id": 1}`)
	}},
	"empty-archive": {map[string]string{"500": "500", "200": "200"}, func(c *client) any { return c.statusOf("GET", c.activate(1)+"/archive", "") }},
	"empty-output": {map[string]string{"file": "0", "none": "2.147942402e+09"}, func(c *client) any {
		s := c.activate(1)
		c.ended(s, m{"name": "create process", "object": "cmd /c exit 0", "wait": true, "output_file": `C:\o`})
		return c.ended(s, m{"name": "get file", "object": `C:\o`})["result_code"]
	}},
	"empty-sensor-list": {map[string]string{"204": "204", "500": "500", "list": "200"}, func(c *client) any {
		return c.statusOf("GET", "/api/v1/sensor?hostname=nobody", "")
	}},
	"gzip": {map[string]string{"on": "true", "off": "false"}, func(c *client) any { return c.response("GET", "/api/info", nil).Uncompressed }},
	"hostname-filter": {map[string]string{"insensitive": "200", "sensitive": "204"}, func(c *client) any {
		return c.statusOf("GET", "/api/v1/sensor?hostname=wks", "")
	}},
	"in-flight": {map[string]string{"lost": "in progress", "finish": "complete"}, func(c *client) any {
		s := c.activate(1)
		c.do("POST", s+"/command", m{"name": "create process", "object": "ping x", "wait": true}, 200)
		c.sim.Advance(time.Second)
		c.do("PUT", s, m{"status": "close"}, 200)
		return c.get(s + "/command/1")["status"]
	}},
	"keepalive-pending": {map[string]string{"close": "404 close", "ignore": "200 pending"}, func(c *client) any {
		s := c.post(1)
		return fmt.Sprint(c.statusOf("GET", s+"/keepalive", ""), " ", c.status(s))
	}},
	"limit-status": {map[string]string{"500": "500", "429": "429"}, func(c *client) any {
		cfg := frozen(2)
		cfg.Slots = 1
		cfg.Quirks = edrsim.Quirks{"limit-status": c.sim.State().Quirks["limit-status"]}
		full := start(c.t, cfg)
		full.post(1)
		return full.statusOf("POST", "/api/v1/cblr/session", `{"sensor_id": 2}`)
	}},
	"list-no-match": {map[string]string{"error": "error", "empty": "complete"}, func(c *client) any {
		return c.ended(c.activate(1), m{"name": "directory list", "object": `C:\nobody*`})["status"]
	}},
	"max-upload": {map[string]string{"unlimited": "200", "3": "413"}, func(c *client) any {
		status, _ := c.raw("POST", c.activate(1)+"/file", "multipart/form-data; boundary=b",
			strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n1234\r\n--b--\r\n"))
		return status
	}},
	"offset-beyond-end": {map[string]string{"empty": "complete", "error": "error"}, func(c *client) any {
		return c.ended(c.activate(1), m{"name": "get file", "object": `C:\test.txt`, "offset": 1000})["status"]
	}},
	"partitions": {map[string]string{"200": "200", "403": "403", "404": "404"}, func(c *client) any {
		return c.statusOf("GET", "/api/v1/storage/events/partition", "")
	}},
	"power-loss": {map[string]string{"timeout": "timeout", "hang": "active"}, func(c *client) any {
		s := c.activate(1)
		c.sim.SetPower(1, false)
		return c.status(s)
	}},
	"put-existing": {map[string]string{"error": "error", "overwrite": "complete"}, func(c *client) any {
		s := c.activate(1)
		return c.ended(s, m{"name": "put file", "object": `C:\test.txt`, "file_id": c.upload(s, []byte("x"))})["status"]
	}},
	"range": {map[string]string{"ignore": "200", "honour": "206"}, func(c *client) any {
		s := c.activate(1)
		got := c.ended(s, m{"name": "get file", "object": `C:\test.txt`})
		return c.ranged(fmt.Sprintf("%s/file/%v/content", s, got["file_id"]), "bytes=2-3")
	}},
	"reg-set-existing": {map[string]string{"error": "error", "ignore": "complete", "overwrite": "complete"}, func(c *client) any {
		return c.ended(c.activate(1), m{"name": "reg set value", "object": `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\CurrentVersion`, "value_data": "7"})["status"]
	}},
	"sensor-put": {map[string]string{"full": "204", "restricted": "400"}, func(c *client) any {
		return c.statusOf("PUT", "/api/v1/sensor/1", `{"computer_name": "X", "group_id": 1}`)
	}},
	"sensor-v2":     {map[string]string{"present": "200", "absent": "404"}, func(c *client) any { return c.statusOf("GET", "/api/v2/sensor", "") }},
	"session-group": {map[string]string{"absent": "<nil>", "present": "1"}, func(c *client) any { return c.get(c.post(1))["group_id"] }},
	"sid-newline": {map[string]string{"on": "true", "off": "false"}, func(c *client) any {
		cfg := frozen(1)
		cfg.Fleet = []edrsim.SensorSpec{{OS: "linux"}}
		cfg.Quirks = edrsim.Quirks{"sid-newline": c.sim.State().Quirks["sid-newline"]}
		return strings.HasSuffix(start(c.t, cfg).get("/api/v1/sensor/1")["computer_sid"].(string), "\n")
	}},
	"storage-size": {map[string]string{"string": "string", "number": "float64"}, func(c *client) any {
		s := c.activate(1)
		c.upload(s, []byte("x"))
		return fmt.Sprintf("%T", c.get(s)["storage_size"])
	}},
	"unsupported-command": {map[string]string{"400": "400", "error": "200"}, func(c *client) any {
		return c.statusOf("POST", c.activate(1)+"/command", `{"name": "rename file", "object": "x"}`)
	}},
	"wait-cap": {map[string]string{"60s": "200", "1ms": "504"}, func(c *client) any {
		cfg := fast
		cfg.Quirks = edrsim.Quirks{"wait-cap": c.sim.State().Quirks["wait-cap"]}
		return start(c.t, cfg).statusOf("POST", "/api/v1/cblr/session?wait=true", `{"sensor_id": 1}`)
	}},
	"zone": {map[string]string{"+00:00": "+00:00", "-05:00": "-05:00"}, func(c *client) any {
		at := c.get("/api/v1/sensor/1")["last_checkin_time"].(string)
		return at[len(at)-6:]
	}},
}

func TestVersionsPresetQuirks(t *testing.T) {
	for version, want := range map[string]map[string]string{
		"5.1": {"sensor-v2": "absent", "active-only": "ignored", "partitions": "404", "sensor-put": "full"},
		"6.2": {"sensor-v2": "present", "active-only": "ignored", "partitions": "200", "sensor-put": "full"},
		"7.1": {"sensor-v2": "present", "active-only": "honoured", "partitions": "200", "sensor-put": "restricted"},
		"7.7": {"sensor-v2": "present", "active-only": "honoured", "partitions": "403", "sensor-put": "restricted"},
	} {
		got := edrsim.New(edrsim.Config{Version: version}).State().Quirks
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s: %s = %s, want %s", version, name, got[name], value)
			}
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for want, cfg := range map[string]edrsim.Config{
		`no quirk is named "x"`:                  {Quirks: edrsim.Quirks{"x": "y"}},
		`quirk range: "yes" is not one of`:       {Quirks: edrsim.Quirks{"range": "yes"}},
		`quirk limit-status: "200" is not one`:   {Quirks: edrsim.Quirks{"limit-status": "200"}},
		`no fault is named "x"`:                  {Faults: edrsim.Faults{"x": 0.1}},
		`"hagn"; did you mean "hang"?`:           {Faults: edrsim.Faults{"hagn": 0.1}},
		`"gzpi"; did you mean "gzip"?`:           {Quirks: edrsim.Quirks{"gzpi": "off"}},
		`rate 2 is not between 0 and 1`:          {Faults: edrsim.Faults{"hang": 2}},
		`add up to 1.2`:                          {Faults: edrsim.Faults{"hang": 0.6, "500": 0.6}},
		`version "8" is not one of`:              {Version: "8"},
		`sensors[0]: os: "beos" is not one of`:   {Fleet: []edrsim.SensorSpec{{OS: "beos"}}},
		`registry HKLM\x\y: data: "z" is not a`:  {Fleet: []edrsim.SensorSpec{{Registry: []edrsim.RegistrySpec{{Path: `HKLM\x\y`, Type: "REG_DWORD", Data: "z"}}}}},
		`commands: no command is named "format"`: {Fleet: []edrsim.SensorSpec{{Commands: map[string]edrsim.Latency{"format": {}}}}},
	} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
}
