package lr

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/fixtures"
	"edrpipe/pkg/edr"
)

// exchange is one recorded request and answer of a real server.
type exchange struct {
	Request struct {
		Method string          `json:"method"`
		Path   string          `json:"path"`
		JSON   json.RawMessage `json:"json"`
	} `json:"request"`
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// replay serves recorded answers, gzip-encoded as the real servers did.
func replay(t *testing.T, recorded []exchange) *Client {
	t.Helper()
	mux := http.NewServeMux()
	answers := map[string][]exchange{}
	for _, e := range recorded {
		key := e.Request.Method + " " + e.Request.Path
		answers[key] = append(answers[key], e)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		key := r.Method + " " + r.URL.Path
		all := answers[key]
		if len(all) == 0 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if len(all) > 1 {
			answers[key] = all[1:]
		}
		var raw struct {
			Base64 string `json:"_raw_base64"`
		}
		if json.Unmarshal(all[0].Body, &raw) == nil && bytes.Contains(all[0].Body, []byte("_raw_base64")) {
			b, _ := base64.StdEncoding.DecodeString(raw.Base64)
			w.Write(b)
			w.(http.Flusher).Flush()
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(all[0].Status)
		z := gzip.NewWriter(w)
		z.Write(all[0].Body)
		z.Close()
	})
	return clientOf(t, mux)
}

func clientOf(t *testing.T, h http.Handler) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := New(Config{URL: srv.URL, Token: testToken, Tries: 2, Backoff: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

const testToken = "0123456789abcdef0123456789abcdef01234567"

// TestServers asks made servers, whose answers are known, and recorded ones.
func TestServers(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, made bool) {
		files, _ := filepath.Glob(filepath.Join(dir, "recorded-edr", "*.json"))
		if len(files) < 2 {
			t.Fatalf("%d files of exchanges, want at least 2", len(files))
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				var recorded []exchange
				readJSON(t, file, &recorded)
				known := ask(t, replay(t, recorded))
				if !made {
					checkPlausible(t, known)
					return
				}
				var want map[string]any
				readJSON(t, strings.TrimSuffix(file, ".json")+".expect", &want)
				if diff := differences("", want, asTree(t, known)); len(diff) > 0 {
					t.Errorf("what the client knows is not what the server said:\n%s", strings.Join(diff, "\n"))
				}
			})
		}
	})
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// answers is what a client knows of a server, a sensor and a session.
type answers struct {
	Info      Info            `json:"info"`
	Sensor    edr.Sensor      `json:"sensor"`
	Session   edr.SessionInfo `json:"session"`
	Content   []byte          `json:"content"`
	Processes []edr.Process   `json:"processes"`
}

func ask(t *testing.T, c *Client) (a answers) {
	ctx := context.Background()
	var err error
	if a.Info, err = c.Info(ctx); err != nil {
		t.Fatal(err)
	}
	if a.Sensor, err = c.Sensor(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	s, err := c.Join(ctx, "1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Await(ctx); err != nil {
		t.Fatal(err)
	}
	a.Session = s.Info()
	var content bytes.Buffer
	got, err := s.GetFile(ctx, `C:\test.txt`, edr.Range{}, &content)
	if err != nil || got.Size != int64(content.Len()) || len(got.SHA256) != 64 {
		t.Errorf("GetFile = %+v, %v with %d bytes", got, err, content.Len())
	}
	a.Content = content.Bytes()
	if a.Processes, err = s.Processes(ctx); err != nil {
		t.Fatal(err)
	}
	return a
}

// checkPlausible: of a recording nobody wrote down what it says.
func checkPlausible(t *testing.T, a answers) {
	t.Helper()
	if a.Info.Version == "" || !a.Info.LiveResponse {
		t.Errorf("Info = %+v", a.Info)
	}
	if s := a.Sensor; s.OS != edr.Windows || !s.Online || !s.LiveResponse || s.LastCheckin.IsZero() || len(s.IPs) == 0 {
		t.Errorf("Sensor = %+v", s)
	}
	if s := a.Session; len(s.Commands) != 15 || len(s.Drives) == 0 || s.CreatedAt.IsZero() {
		t.Errorf("session = %+v", s)
	}
	if len(a.Processes) == 0 {
		t.Error("no processes")
	}
	for _, p := range a.Processes {
		if p.PID == 0 && p.ParentPID != 0 || p.GUID == "" || p.Started.IsZero() && p.PID > 4 {
			t.Errorf("process = %+v", p)
		}
	}
}

func asTree(t *testing.T, v any) (tree map[string]any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// differences lists where something expected is not there. Times are compared as such.
func differences(path string, want, got any) (all []string) {
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for name, value := range w {
			all = append(all, differences(path+"."+name, value, g[name])...)
		}
		return all
	case []any:
		g, _ := got.([]any)
		if len(w) != len(g) {
			return []string{fmt.Sprintf("%s has %d elements, want %d", path, len(g), len(w))}
		}
		for i := range w {
			all = append(all, differences(fmt.Sprintf("%s[%d]", path, i), w[i], g[i])...)
		}
		return all
	case string:
		a, err1 := time.Parse(time.RFC3339, w)
		b, err2 := time.Parse(time.RFC3339, fmt.Sprint(got))
		if err1 == nil && err2 == nil && a.Equal(b) {
			return nil
		}
	}
	if !reflect.DeepEqual(want, got) {
		return []string{fmt.Sprintf("%s = %v, want %v", path, got, want)}
	}
	return nil
}
