package edrsim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
)

const (
	cloudAPI   = "/appservices/v6/orgs/A1B2C3D4"
	cloudLR    = cloudAPI + "/liveresponse/sessions"
	cloudBans  = cloudAPI + "/reputations/overrides"
	cloudAlert = "/api/alerts/v7/orgs/A1B2C3D4/alerts"
	device1    = 6231047
)

// frozenCloud has a clock that hardly moves by itself.
func frozenCloud(sensors int, quirks edrsim.Quirks) edrsim.Config {
	return edrsim.Config{Kind: edrsim.KindCloud, Sensors: sensors, TimeScale: 1e-6, Quirks: quirks, CheckIn: 10 * time.Second}
}

// cloudSession is the path of an active session.
func (c *client) cloudSession(device int) string {
	c.t.Helper()
	s := c.do("POST", cloudLR, m{"device_id": device}, 201).(m)
	c.sim.Advance(11 * time.Second)
	return cloudLR + "/" + s["id"].(string)
}

// ran is a command that has ended.
func (c *client) ran(session string, req m) m {
	c.t.Helper()
	cmd := c.do("POST", session+"/commands", req, 201).(m)
	c.sim.Advance(time.Minute)
	return c.get(fmt.Sprintf("%s/commands/%v", session, cmd["id"]))
}

func (c *client) closedCloud(device int) string {
	s := c.cloudSession(device)
	c.ran(s, m{"name": "process list"})
	c.do("DELETE", s, nil, 204)
	return s
}

func keysOf(v any, keys ...string) string {
	var have []string
	for _, k := range keys {
		if _, ok := v.(m)[k]; ok {
			have = append(have, k)
		}
	}
	return strings.Join(have, " ")
}

var banOf = m{"override_list": "BLACK_LIST", "override_type": "SHA256", "sha256_hash": strings.Repeat("ab", 32), "description": "d"}

var cloudQuirkCases = map[string]quirkCase{
	"action-reply": {map[string]string{"204": "204", "200": "200"}, func(c *client) any {
		return c.statusOf("POST", cloudAPI+"/device_actions", `{"action_type":"QUARANTINE","device_id":[6231047],"options":{"toggle":"ON"}}`)
	}},
	"ban-filename":   {map[string]string{"optional": "200", "required": "400"}, func(c *client) any { return c.statusOf("POST", cloudBans, jsonOf(banOf)) }},
	"cancel-running": {map[string]string{"409": "409", "204": "204"}, func(c *client) any { return c.cancelOf(true) }},
	"cancelled":      {map[string]string{"readable": "200", "gone": "404"}, func(c *client) any { return c.cancelOf(false) }},
	"closed-session": {map[string]string{"gone": "404 404", "readable": "200 200"}, func(c *client) any {
		s := c.closedCloud(device1)
		return fmt.Sprint(c.statusOf("GET", s, ""), c.statusOf("GET", s+"/commands", ""))
	}},
	"command-ids": {map[string]string{"0": "0", "1": "1"}, func(c *client) any { return c.ran(c.cloudSession(device1), m{"name": "process list"})["id"] }},
	"command-limit": {map[string]string{"400": "400", "409": "409", "413": "413"}, func(c *client) any {
		return c.statusOf("POST", c.cloudSession(device1)+"/commands", `{"name":"create process","path":"`+strings.Repeat("x", 11_000)+`"}`)
	}},
	"command-list": {map[string]string{"full": "processes", "summary": ""}, func(c *client) any {
		s := c.cloudSession(device1)
		c.ran(s, m{"name": "process list"})
		return keysOf(c.do("GET", s+"/commands", nil, 200).([]any)[0], "processes")
	}},
	"content": {map[string]string{"302": "302", "200": "200"}, func(c *client) any { return c.unfollowed(c.fetched()) }},
	"device-name": {map[string]string{"host": "WKS-0001", "domain": `LAB\WKS-0001`}, func(c *client) any {
		return c.get(fmt.Sprint(cloudAPI, "/devices/", device1))["name"]
	}},
	"device-start": {map[string]string{"0": "6231048", "1": "6231047"}, func(c *client) any {
		got := c.do("POST", cloudAPI+"/devices/_search", m{"start": 1, "rows": 1, "sort": []m{{"field": "id", "order": "ASC"}}}, 200).(m)
		return fmt.Sprintf("%.0f", got["results"].([]any)[0].(m)["id"])
	}},
	"disabled-status": {map[string]string{"400": "400", "403": "403", "409": "409"}, func(c *client) any { return c.statusOf("POST", cloudLR, `{"device_id":6231050}`) }},
	"duplicate-ban": {map[string]string{"second": "200", "409": "409"}, func(c *client) any {
		c.do("POST", cloudBans, banOf, 200)
		return c.statusOf("POST", cloudBans, jsonOf(banOf))
	}},
	"duplicate-session": {map[string]string{"existing": "201 1:6231047", "new": "201 2:6231047", "409": "409 <nil>"}, func(c *client) any {
		c.do("POST", cloudLR, m{"device_id": device1}, 201)
		status, body := c.raw("POST", cloudLR, "", strings.NewReader(`{"device_id":6231047}`))
		return fmt.Sprint(status, " ", decoded(body)["id"])
	}},
	"get-range": {map[string]string{"ignored": "all", "honoured": "part"}, func(c *client) any {
		_, b := c.raw("GET", c.fetched()+"/content", "", nil)
		if len(b) == 4 {
			return "part"
		}
		return "all"
	}},
	"job-delay":         {map[string]string{"0s": "200", "2s": "404"}, func(c *client) any { return c.statusOf("GET", c.closeJob(), "") }},
	"keepalive-pending": {map[string]string{"ignore": "204", "close": "404"}, func(c *client) any { return c.pendingKeepalive() }},
	"keepalive-reply": {map[string]string{"204": "204", "json": "200"}, func(c *client) any {
		return c.statusOf("GET", c.cloudSession(device1)+"/keepalive", "")
	}},
	"limit-status": {map[string]string{"403": "403 session limit reached", "503": "503 session limit reached"}, func(c *client) any { return c.overLimit() }},
	"limit-wait":   {map[string]string{"0s": "403 session limit reached", "1ns": "403 session limit reached"}, func(c *client) any { return c.overLimit() }},
	"list-envelope": {map[string]string{"array": "list", "results": "object"}, func(c *client) any {
		if _, ok := c.do("GET", cloudLR, nil, 200).([]any); ok {
			return "list"
		}
		return "object"
	}},
	"missing-permission": {map[string]string{"none": "200 201", "device:READ": "403 201", "org.liveresponse.session:CREATE": "200 403"}, func(c *client) any {
		device := c.statusOf("GET", cloudAPI+"/devices/6231047", "")
		return fmt.Sprint(device, c.statusOf("POST", cloudAPI+"/liveresponse/sessions", `{"device_id":6231047}`))
	}},
	"multi-sz": {map[string]string{"list": "[a b]", "joined": "a,b"}, func(c *client) any { return c.value()["value_data"] }},
	"process-details": {map[string]string{"absent": "", "present": "pid return_code"}, func(c *client) any {
		return keysOf(c.ran(c.cloudSession(device1), m{"name": "create process", "path": `cmd.exe /c echo hello`, "wait": true}), "pid", "return_code")
	}},
	"quarantine-offline": {map[string]string{"kept": "true", "dropped": "false"}, func(c *client) any {
		c.sim.SetPower(2, false)
		c.do("POST", cloudAPI+"/device_actions", m{"action_type": "QUARANTINE", "device_id": []int{device1 + 1}, "options": m{"toggle": "ON"}}, 204)
		c.sim.SetPower(2, true)
		c.sim.Advance(time.Minute)
		return c.get(fmt.Sprint(cloudAPI, "/devices/", device1+1))["quarantined"]
	}},
	"rate": {map[string]string{"off": "200", "2/1m": "429"}, func(c *client) any {
		c.statusOf("GET", cloudLR, "")
		c.statusOf("GET", cloudLR, "")
		return c.statusOf("GET", cloudLR, "")
	}},
	"reg-type-prefix": {map[string]string{"off": "REG_MULTI_SZ", "pb": "pbREG_MULTI_SZ"}, func(c *client) any { return c.value()["value_type"] }},
	"registry-names": {map[string]string{"value": "value_name", "registry": "registry_name"}, func(c *client) any {
		return keysOf(c.value(), "value_name", "registry_name")
	}},
	"result-code": {map[string]string{"unsigned": "2147942402", "signed": "-2147024894"}, func(c *client) any {
		return fmt.Sprintf("%.0f", c.ran(c.cloudSession(device1), m{"name": "delete file", "path": `c:\nothing`})["result_code"])
	}},
	"session-reply": {map[string]string{"sparse": "", "full": "supported_commands"}, func(c *client) any {
		return keysOf(c.do("POST", cloudLR, m{"device_id": device1}, 201), "supported_commands")
	}},
	"status-case": {map[string]string{"mixed": "PENDING pending", "upper": "PENDING PENDING", "lower": "pending pending"}, func(c *client) any {
		s := c.do("POST", cloudLR, m{"device_id": device1}, 201).(m)
		return fmt.Sprint(s["status"], " ", c.get(cloudLR + "/" + s["id"].(string))["status"])
	}},
	"time-format": {map[string]string{"mixed": "string float64", "rfc3339": "string string", "ms": "float64 float64"}, func(c *client) any {
		s := c.do("POST", cloudLR, m{"device_id": device1}, 201).(m)
		return fmt.Sprintf("%T %T", s["create_time"], c.get(cloudLR + "/" + s["id"].(string))["create_time"])
	}},
}

// TestEveryCloudQuirkIsSeenByAClient checks both sides of each quirk from outside.
func TestEveryCloudQuirkIsSeenByAClient(t *testing.T) {
	t.Parallel()
	for name, tc := range cloudQuirkCases {
		for value, want := range tc.want {
			t.Run(name+"="+value, func(t *testing.T) {
				cfg := frozenCloud(3, edrsim.Quirks{name: value})
				cfg.Fleet = append(edrsim.DefaultFleet(3), edrsim.SensorSpec{NoLive: true})
				cfg.Slots = 2
				if got := fmt.Sprint(tc.show(start(t, cfg))); got != want {
					t.Errorf("a client sees %s, want %s", got, want)
				}
			})
		}
	}
	for _, q := range edrsim.CloudQuirks() {
		if _, ok := cloudQuirkCases[q.Name]; !ok {
			t.Errorf("quirk %s is not tested", q.Name)
		}
	}
}

// cancelOf cancels a command, running or waiting behind one: the status of the
// cancellation, or of reading it afterwards.
func (c *client) cancelOf(running bool) int {
	s := c.cloudSession(device1)
	c.do("POST", s+"/commands", m{"name": "memdump", "path": `c:\m`}, 201)
	c.do("POST", s+"/commands", m{"name": "process list"}, 201)
	if running {
		return c.statusOf("DELETE", s+"/commands/0", "")
	}
	c.do("DELETE", s+"/commands/1", nil, 204)
	return c.statusOf("GET", s+"/commands/1", "")
}

// fetched is the path of a file that a get file of four bytes has stored.
func (c *client) fetched() string {
	s := c.cloudSession(device1)
	c.sim.WriteFile(1, `c:\a.txt`, []byte("0123456789"))
	cmd := c.ran(s, m{"name": "get file", "path": `c:\a.txt`, "offset": 2, "count": 4})
	return s + "/files/" + cmd["file_details"].(m)["file_id"].(string)
}

// unfollowed is the status of a file's content without following a redirect.
func (c *client) unfollowed(file string) int {
	hc := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer hc.CloseIdleConnections()
	req, _ := http.NewRequest("GET", c.sim.URL+file+"/content", nil)
	req.Header.Set("X-Auth-Token", c.sim.Token)
	resp, err := hc.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// closeJob is the path of a job that closes the first alert.
func (c *client) closeJob() string {
	id := c.sim.Alerts()[0]["id"]
	job := c.do("POST", cloudAlert+"/workflow", m{"criteria": m{"id": []any{id}}, "status": "CLOSED", "closure_reason": "RESOLVED"}, 200).(m)
	return "/jobs/v1/orgs/A1B2C3D4/jobs/" + job["request_id"].(string)
}

func (c *client) pendingKeepalive() int {
	s := c.do("POST", cloudLR, m{"device_id": device1}, 201).(m)
	return c.statusOf("GET", cloudLR+"/"+s["id"].(string)+"/keepalive", "")
}

func (c *client) overLimit() string {
	for i := range 2 {
		c.do("POST", cloudLR, m{"device_id": device1 + i}, 201)
	}
	status, body := c.raw("POST", cloudLR, "", strings.NewReader(`{"device_id":6231049}`))
	return fmt.Sprint(status, " ", decoded(body)["message"])
}

// value is a registry value of two texts.
func (c *client) value() m {
	s := c.cloudSession(device1)
	path := `HKLM\SOFTWARE\edrsim\v`
	c.ran(s, m{"name": "reg create key", "path": `HKLM\SOFTWARE\edrsim`})
	c.ran(s, m{"name": "reg set value", "path": path, "value_type": "REG_MULTI_SZ", "value_data": []string{"a", "b"}, "overwrite": true})
	return c.ran(s, m{"name": "reg query value", "path": path})["value"].(m)
}

// TestCloudRefusesAsTheRealOne are the answers that the specification requires.
func TestCloudRefusesAsTheRealOne(t *testing.T) {
	t.Parallel()
	c := start(t, frozenCloud(5, nil))
	s := c.cloudSession(device1)
	for _, tc := range []struct {
		method, path, body string
		status             int
		contains           string
	}{
		{"POST", cloudLR, `{"device_id":42}`, 404, `"error_code":"NOT_FOUND"`},
		{"GET", cloudLR + "/9:6231047/keepalive", "", 404, `"error_code":"NOT_FOUND"`},
		{"GET", cloudLR + "/1:6231048", "", 404, `"error_code":"NOT_FOUND"`},
		{"GET", strings.ReplaceAll(s, ":", "%3A"), "", 200, `"status":"active"`},
		{"POST", s + "/commands", `{"name":"dance"}`, 400, `INVALID_ENUM_VALUE`},
		{"POST", s + "/commands", `{"name":"directory list","object":"c:\\"}`, 201, `"name":"directory list"`},
		{"POST", s + "/commands", `{"name":"directory list"}`, 400, `path is missing`},
		{"POST", s + "/commands", `{"name":"put file","path":"c:\\x","file_id":"none"}`, 400, `not found in session`},
		{"POST", cloudAPI + "/device_actions", `{"action_type":"DANCE","device_id":[6231047]}`, 400, `known_values`},
		{"POST", cloudAPI + "/device_actions", `{"action_type":"QUARANTINE","options":{"toggle":"ON"}}`, 400, `device_id`},
		{"POST", cloudBans, `{"override_list":"BLACK_LIST","override_type":"SHA256","sha256_hash":"d41d8cd98f00b204e9800998ecf8427e"}`, 400, `sha256_hash`},
		{"DELETE", cloudBans + "/none", "", 404, `NOT_FOUND`},
		{"POST", cloudAPI + "/devices/_search", `{"query":"name~x"}`, 400, `"reason":"query_malformed_syntax"`},
		{"POST", cloudAPI + "/devices/_search", `{"query":"name:wks* AND os:WINDOWS"}`, 200, `"num_found":3`},
		{"POST", cloudAPI + "/devices/_search", `{"criteria":{"id":["6231047",6231049]}}`, 200, `"num_found":2`},
		{"POST", cloudAPI + "/devices/_search", `{"rows":10001}`, 400, `10000`},
		{"POST", cloudAlert + "/_search", `{"criteria":{"type":["WATCHLIST"]}}`, 200, `"num_found":1`},
		{"POST", cloudAlert + "/_search", `{"criteria":{"workflow_status":["OPEN"]}}`, 200, `"num_found":5`},
		{"POST", cloudAlert + "/_search", `{"start":0}`, 400, `start counts from 1`},
		{"POST", cloudAlert + "/_search", `{"criteria":{"nothing":["x"]}}`, 400, `No criterion`},
		{"GET", "/appservices/v6/orgs/OTHER/devices/1", "", 404, `org_id`},
		{"GET", "/integrationServices/v3/cblr/session/1", "", 410, `GONE`},
		{"GET", "/api/info", "", 404, `NOT_FOUND`},
	} {
		status, body := c.raw(tc.method, tc.path, "", strings.NewReader(tc.body))
		if status != tc.status || !strings.Contains(string(body), tc.contains) {
			t.Errorf("%s %s %s = %d %.300s, want %d with %s", tc.method, tc.path, tc.body, status, body, tc.status, tc.contains)
		}
	}
}

func TestCloudSessionsEndByTheirTimers(t *testing.T) {
	t.Parallel()
	c := start(t, frozenCloud(3, nil))
	unused := c.cloudSession(device1)
	c.sim.Advance(29 * time.Minute)
	c.do("GET", unused, nil, 200)
	c.sim.Advance(2 * time.Minute)
	c.do("GET", unused, nil, 404)

	used := c.cloudSession(device1)
	c.ran(used, m{"name": "process list"})
	c.sim.Advance(13 * time.Minute)
	c.do("GET", used+"/keepalive", nil, 204)
	c.sim.Advance(14 * time.Minute)
	c.do("GET", used, nil, 200)
	c.sim.Advance(2 * time.Minute)
	c.do("POST", used+"/commands", m{"name": "process list"}, 404)
}

func TestCloudTakes250CommandsInASession(t *testing.T) {
	t.Parallel()
	c := start(t, frozenCloud(1, nil))
	s := c.cloudSession(device1)
	for range 250 {
		c.do("POST", s+"/commands", m{"name": "process list"}, 201)
	}
	c.do("POST", s+"/commands", m{"name": "process list"}, 400)
}

// TestCloudContentNeedsNoToken: the bytes come from another place, which sees the
// token of clients that follow the redirect with it.
func TestCloudContentNeedsNoToken(t *testing.T) {
	t.Parallel()
	c := start(t, frozenCloud(1, nil))
	file := c.fetched()
	status, body := c.raw("GET", file+"/content", "", nil) // follows with the token
	if status != 200 || string(body) != "0123456789" {
		t.Errorf("content = %d %q", status, body)
	}
	if n := c.sim.Counters().Requests["GET /_storage/ with the token"]; n != 1 {
		t.Errorf("%d leaked tokens were seen, want 1", n)
	}
}

func TestCloudAlertIsForwardedAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	files := forwarded{}
	cfg := frozenCloud(2, nil)
	cfg.Forwarder = files
	c := start(t, cfg)
	before := len(files)
	id := c.do("POST", "/_sim/alerts", m{"type": "WATCHLIST", "device_id": device1, "severity": 9}, 200).(m)["id"].(string)
	c.do("POST", cloudAlert+"/"+id+"/notes", m{"note": "seen"}, 200)
	c.do("PUT", "/_sim/alerts/"+id, m{"status": "CLOSED"}, 200)
	if len(files) != before+3 {
		t.Errorf("%d files, want 3 more than %d", len(files), before)
	}
	a := c.get(cloudAlert + "/" + id)
	if a["is_updated"] != true || a["severity"] != 9.0 || a["workflow"].(m)["status"] != "CLOSED" || a["alert_notes_present"] != true {
		t.Errorf("alert = %v", a)
	}
}

type forwarded map[string][]byte

func (f forwarded) Put(key string, content []byte) error {
	f[key] = content
	return nil
}

func TestCloudRefusesAnotherToken(t *testing.T) {
	t.Parallel()
	c := start(t, frozenCloud(1, nil))
	req, _ := http.NewRequest("GET", c.sim.URL+cloudLR, nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
}
