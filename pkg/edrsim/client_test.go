package edrsim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"testing"

	"edrpipe/pkg/edrsim"
)

// A client is the least that talks to the simulator; it fails the test on
// anything but the status it expects.
type client struct {
	t   testing.TB
	sim *edrsim.Server
}

func start(t testing.TB, cfg edrsim.Config) *client {
	t.Helper()
	sim := edrsim.New(cfg).Start()
	t.Cleanup(sim.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return &client{t, sim}
}

// response sends a request; the body is read by the end of the test.
func (c *client) response(method, path string, body io.Reader) *http.Response {
	c.t.Helper()
	req, err := http.NewRequest(method, c.sim.URL+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", c.sim.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// raw sends a request and gives the answer's status and body.
func (c *client) raw(method, path, contentType string, body io.Reader) (int, []byte) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.sim.URL+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", c.sim.Token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, b
}

// do sends v as JSON and decodes the answer, which must have the status.
func (c *client) do(method, path string, v any, status int) any {
	c.t.Helper()
	var body io.Reader
	if v != nil {
		b, _ := json.Marshal(v)
		body = bytes.NewReader(b)
	}
	got, b := c.raw(method, path, "", body)
	if got != status {
		c.t.Fatalf("%s %s = %d %s, want %d", method, path, got, b, status)
	}
	var out any
	if json.Unmarshal(b, &out) != nil {
		return string(b)
	}
	return out
}

func (c *client) get(path string) map[string]any {
	c.t.Helper()
	m, _ := c.do("GET", path, nil, 200).(map[string]any)
	return m
}

type m = map[string]any

// open gives the path of an active session on a sensor.
func (c *client) open(sensor int) string {
	c.t.Helper()
	return c.openWith(m{"sensor_id": sensor})
}

// openForLong is for clocks that run fast: a pause of the machine must not be a
// session's time-out.
func (c *client) openForLong(sensor int) string {
	c.t.Helper()
	const day = 86400
	return c.openWith(m{"sensor_id": sensor, "session_timeout": 10 * day, "sensor_wait_timeout": 10 * day, "check_in_timeout": 10 * day})
}

func (c *client) openWith(req m) string {
	c.t.Helper()
	s := c.do("POST", "/api/v1/cblr/session?wait=true", req, 200).(m)
	if s["status"] != "active" {
		c.t.Fatalf("session is %v, want active", s["status"])
	}
	return fmt.Sprintf("/api/v1/cblr/session/%v", s["id"])
}

// command runs a command to its end.
func (c *client) command(session string, req m) m {
	c.t.Helper()
	cmd := c.do("POST", session+"/command", req, 200).(m)
	return c.get(fmt.Sprintf("%s/command/%v?wait=true", session, cmd["id"]))
}

// want runs a command that must end with a result code.
func (c *client) want(session string, code uint32, req m) m {
	c.t.Helper()
	got := c.command(session, req)
	if got["result_code"] != float64(code) {
		c.t.Errorf("%v: result_code = %v, want %d", req, got["result_code"], code)
	}
	if want := map[bool]string{true: "complete", false: "error"}[code == 0]; got["status"] != want {
		c.t.Errorf("%v: status = %v, want %s", req, got["status"], want)
	}
	return got
}

// upload stores content in a session and gives its file id.
func (c *client) upload(session string, content []byte) any {
	c.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, _ := w.CreateFormFile("file", "upload.bin")
	part.Write(content)
	w.Close()
	status, b := c.raw("POST", session+"/file", w.FormDataContentType(), &form)
	if status != 200 {
		c.t.Fatalf("upload = %d %s", status, b)
	}
	var f m
	json.Unmarshal(b, &f)
	return f["id"]
}

// download gets a remote file.
func (c *client) download(session, path string) []byte {
	c.t.Helper()
	got := c.want(session, 0, m{"name": "get file", "object": path})
	status, b := c.raw("GET", fmt.Sprintf("%s/file/%v/content", session, got["file_id"]), "", nil)
	if status != 200 {
		c.t.Fatalf("content of %s = %d", path, status)
	}
	return b
}

// ranged asks for a part of a body and gives the status.
func (c *client) ranged(path, part string) int {
	c.t.Helper()
	req, _ := http.NewRequest("GET", c.sim.URL+path, nil)
	req.Header.Set("X-Auth-Token", c.sim.Token)
	req.Header.Set("Range", part)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func jsonOf(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// decoded is a JSON object, empty for anything else.
func decoded(b []byte) m {
	v := m{}
	_ = json.Unmarshal(b, &v)
	return v
}
