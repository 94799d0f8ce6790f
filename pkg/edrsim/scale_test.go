package edrsim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
)

// request serves one request without a network.
func request(tb testing.TB, sim *edrsim.Server, method, path, body string) []byte {
	tb.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Auth-Token", sim.Token)
	w := httptest.NewRecorder()
	sim.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		tb.Fatalf("%s %s = %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// TestTenThousandSensorsFit uses every one of 10,000 sensors: a session, a file
// written, a process started. What they hold may not need more than 500 MiB.
func TestTenThousandSensorsFit(t *testing.T) {
	sensors, most := 10_000, uint64(500<<20)
	if testing.Short() {
		sensors, most = 1000, 50<<20
	}
	before := heap()
	sim := edrsim.New(edrsim.Config{Token: "t", Sensors: sensors, Slots: sensors, CheckIn: time.Second, TimeScale: 1e-6, Seed: 1})
	defer sim.Close()
	for id := 1; id <= sensors; id++ {
		request(t, sim, "POST", "/api/v1/cblr/session", fmt.Sprintf(`{"sensor_id": %d}`, id))
	}
	sim.Advance(2 * time.Second)
	for id := 1; id <= sensors; id++ {
		path := `c:\\windows\\temp\\x`
		if id%5 == 0 {
			path = "/tmp/x"
		}
		request(t, sim, "POST", fmt.Sprintf("/api/v1/cblr/session/%d/command", id), `{"name": "create directory", "object": "`+path+`"}`)
		request(t, sim, "POST", fmt.Sprintf("/api/v1/cblr/session/%d/command", id), `{"name": "create process", "object": "whoami"}`)
	}
	sim.Advance(time.Second)
	for _, c := range []string{"1", fmt.Sprint(sensors)} {
		var got m
		json.Unmarshal(request(t, sim, "GET", "/api/v1/cblr/session/"+c+"/command/2", ""), &got)
		if got["status"] != "complete" {
			t.Errorf("sensor %s: %v", c, got)
		}
	}
	used := heap() - before
	t.Logf("%d sensors in use hold %d MiB", sensors, used>>20)
	if used > most {
		t.Errorf("%d sensors hold %d MiB, want at most %d", sensors, used>>20, most>>20)
	}
	runtime.KeepAlive(sim)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// TestLargeTransfersNeedNoMemory sends a file through upload, put, get and
// download; it may not be held in memory anywhere.
func TestLargeTransfersNeedNoMemory(t *testing.T) {
	size := int64(256 << 20)
	if testing.Short() {
		size = 64 << 20
	}
	c := start(t, edrsim.Config{CheckIn: 20 * time.Millisecond})
	s := c.open(1)
	before := heap()
	body, in := io.Pipe()
	go func() {
		io.WriteString(in, "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n")
		io.CopyN(in, zeros{}, size)
		io.WriteString(in, "\r\n--b--\r\n")
		in.Close()
	}()
	status, b := c.raw("POST", s+"/file", "multipart/form-data; boundary=b", body)
	var f m
	json.Unmarshal(b, &f)
	if status != 200 || f["size"] != float64(size) {
		t.Fatalf("upload = %d %s", status, b)
	}
	c.want(s, 0, m{"name": "put file", "object": `C:\x`, "file_id": f["id"]})
	got := c.want(s, 0, m{"name": "get file", "object": `C:\x`})
	n, err := io.Copy(io.Discard, c.response("GET", fmt.Sprintf("%s/file/%v/content", s, got["file_id"]), nil).Body)
	if n != size || err != nil {
		t.Errorf("download = %d, %v", n, err)
	}
	if used := int64(heap() - before); used > 8<<20 {
		t.Errorf("%d MiB are held", used>>20)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func BenchmarkCommand(b *testing.B) {
	sim := edrsim.New(edrsim.Config{Token: "t", Sensors: 1, TimeScale: 1e-6, Seed: 1})
	defer sim.Close()
	request(b, sim, "POST", "/api/v1/cblr/session", `{"sensor_id": 1}`)
	sim.Advance(33 * time.Second)
	b.ReportAllocs()
	for b.Loop() {
		request(b, sim, "POST", "/api/v1/cblr/session/1/command", `{"name": "directory list", "object": "C:\\Windows\\*"}`)
		sim.Advance(200 * time.Millisecond)
	}
}

func BenchmarkListTenThousandSensors(b *testing.B) {
	sim := edrsim.New(edrsim.Config{Token: "t", Sensors: 10_000, Seed: 1})
	defer sim.Close()
	for b.Loop() {
		request(b, sim, "GET", "/api/v1/sensor", "")
	}
}
