package edrsim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edrpipe/internal/fixtures"
	"edrpipe/pkg/edrsim"
)

type exchange struct {
	Request struct {
		Method, Path string
		JSON         any
	}
	Status  int
	Headers map[string]string
	Body    json.RawMessage
}

// TestShapesAreThoseOfServers replays requests to made and recorded servers and
// compares the answers' shapes: names and JSON types, field by field, both ways.
func TestShapesAreThoseOfServers(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, _ bool) {
		for version, file := range map[string]string{"5.1": "edr_5.1.1_2016-06-10.json", "6.2": "edr_6.2.0_2018-02-06.json"} {
			t.Run(version, func(t *testing.T) {
				b, err := os.ReadFile(filepath.Join(dir, "recorded-edr", file))
				if err != nil {
					t.Fatal(err)
				}
				var all []exchange
				if err := json.Unmarshal(b, &all); err != nil {
					t.Fatal(err)
				}
				cfg := fast
				cfg.Version, cfg.TimeScale = version, 200 // a session is idle for 1.5 s before it ends, also on a loaded machine
				replay(t, start(t, cfg), all)
			})
		}
	})
}

// replay sends recorded requests, with our own session in place of the recorded.
func replay(t *testing.T, c *client, all []exchange) {
	s := c.open(1)
	c.sim.WriteFile(1, `C:\test.txt`, []byte("x"))
	c.download(s, `C:\test.txt`) // as in the recording: something is stored already
	c.do("PUT", s, m{"status": "close"}, 200)
	s = c.open(1)
	var recordedSession, lastCommand string
	for _, x := range all {
		path := x.Request.Path
		if strings.HasPrefix(path, "/api/v1/cblr/session/") {
			recordedSession = "/api/v1/cblr/session/" + strings.Split(path, "/")[5]
			path = strings.Replace(path, recordedSession, s, 1)
		}
		switch {
		case strings.HasSuffix(path, "/content"):
			continue
		case x.Request.Method == "GET" && strings.Contains(path, "/command/"):
			path = lastCommand + "?wait=true"
		case x.Request.Method == "POST" && path == "/api/v1/cblr/session":
			c.do("PUT", s, m{"status": "close"}, 200)
		}
		got := c.do(x.Request.Method, path, x.Request.JSON, x.Status)
		if obj, ok := got.(m); ok && x.Request.Method == "POST" {
			if strings.HasSuffix(path, "/command") {
				lastCommand = fmt.Sprintf("%s/command/%v", s, obj["id"])
			} else {
				s = fmt.Sprintf("/api/v1/cblr/session/%v", obj["id"])
				c.get(s + "?wait=true")
			}
		}
		var want any
		if err := json.Unmarshal(x.Body, &want); err != nil {
			t.Fatal(err)
		}
		compare(t, x.Request.Method+" "+x.Request.Path, shapes(want), shapes(got))
	}
}

// compare tells which fields only one side has, or in which types they differ.
func compare(t *testing.T, what string, want, got map[string][]string) {
	t.Helper()
	for path, types := range want {
		for _, typ := range types {
			if !slices.Contains(got[path], typ) && !excused[path+" "+typ] {
				t.Errorf("%s: %s is %s in the recording, %q here", what, path, typ, got[path])
			}
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok && !excused[path+" extra"] {
			t.Errorf("%s: %s is not in the recording", what, path)
		}
	}
}

// excused are types that a recording shows besides the one shown here, or that
// depend on what the recorded server happened to hold.
var excused = map[string]bool{
	"[].storage_size number": true, // a session with nothing stored: 0 is a number
	".storage_size string":   true, // a session with something stored
	".*.info.endDate null":   true,
	"[].description null":    true,
	"[].close_time extra":    true, // of ended sessions; the 6.2 recording has none
}

// shapes maps the path of each value to its JSON types. Elements of arrays share a
// path, and so do the partitions, whose names are data.
func shapes(v any) map[string][]string {
	out := map[string][]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		typ := "null"
		switch v := v.(type) {
		case map[string]any:
			typ = "object"
			for name, value := range v {
				if strings.HasPrefix(name, "cbevents_") || name == "writer" {
					name = "*"
				}
				walk(path+"."+name, value)
			}
		case []any:
			typ = "array"
			for _, value := range v {
				walk(path+"[]", value)
			}
		case string:
			typ = "string"
		case float64:
			typ = "number"
		case bool:
			typ = "bool"
		}
		if !slices.Contains(out[path], typ) {
			out[path] = append(out[path], typ)
		}
	}
	walk("", v)
	return out
}

// TestHeadersAreThoseOfRecordedServers compares the headers that a client sees.
func TestHeadersAreThoseOfRecordedServers(t *testing.T) {
	c := start(t, edrsim.Config{})
	resp := c.response("GET", "/api/info", nil)
	for name, want := range map[string]string{"Content-Type": "application/json; charset=utf-8", "Server": "openresty", "Cache-Control": "max-age=0",
		"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=31536000"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}
