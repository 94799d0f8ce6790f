package lr

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

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

func TestRecordedServers(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/data/recorded-edr/*.json")
	if len(files) == 0 {
		t.Skip("no recordings here")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var recorded []exchange
			if err := json.Unmarshal(b, &recorded); err != nil {
				t.Fatal(err)
			}
			playRecording(t, replay(t, recorded))
		})
	}
}

func playRecording(t *testing.T, c *Client) {
	ctx := context.Background()
	info, err := c.Info(ctx)
	if err != nil || info.Version == "" || !info.LiveResponse {
		t.Errorf("Info = %+v, %v", info, err)
	}
	sensor, err := c.Sensor(ctx, "1")
	if err != nil {
		t.Fatal(err)
	}
	if sensor.OS != edr.Windows || !sensor.Online || !sensor.LiveResponse || sensor.LastCheckin.IsZero() || len(sensor.IPs) == 0 {
		t.Errorf("Sensor = %+v", sensor)
	}
	s, err := c.Join(ctx, "1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Await(ctx); err != nil {
		t.Fatal(err)
	}
	if got := s.Info(); len(got.Commands) != 15 || len(got.Drives) == 0 || got.CreatedAt.IsZero() {
		t.Errorf("session = %+v", got)
	}
	var content bytes.Buffer
	got, err := s.GetFile(ctx, `C:\test.txt`, edr.Range{}, &content)
	if err != nil || got.Size != int64(content.Len()) || len(got.SHA256) != 64 {
		t.Errorf("GetFile = %+v, %v with %d bytes", got, err, content.Len())
	}
	all, err := s.Processes(ctx)
	if err != nil || len(all) == 0 {
		t.Fatalf("Processes = %d, %v", len(all), err)
	}
	for _, p := range all {
		if p.PID == 0 && p.ParentPID != 0 || p.GUID == "" || p.Started.IsZero() && p.PID > 4 {
			t.Errorf("process = %+v", p)
		}
	}
}
