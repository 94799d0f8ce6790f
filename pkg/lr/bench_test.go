package lr_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/lr"
)

// latency is what the sensors of the benchmarks take for a command, exactly.
const latency = 30 * time.Millisecond

func benchSession(b *testing.B, change ...func(*lr.Config)) (*edrsim.Server, *lr.Session) {
	b.Helper()
	sim := simulate(b, edrsim.Config{
		TimeScale: 1, CheckIn: 100 * time.Millisecond,
		Fleet: []edrsim.SensorSpec{{Latency: edrsim.Latency{Min: latency, Max: latency}}},
	})
	s, err := dial(b, sim, change...).OpenSession(b.Context(), "1")
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Await(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close(b.Context()) })
	return sim, s
}

// BenchmarkCommand reports what a command costs over the sensor's own 30 ms, and
// how many requests it takes, with long polls and without.
func BenchmarkCommand(b *testing.B) {
	for name, hold := range map[string]time.Duration{"held": 0, "polled": -1} {
		b.Run(name, func(b *testing.B) {
			sim, s := benchSession(b, func(c *lr.Config) { c.LongPoll = hold })
			sim.ResetCounters()
			for b.Loop() {
				if _, err := s.List(b.Context(), `C:\`); err != nil {
					b.Fatal(err)
				}
			}
			requests := int64(0)
			for _, n := range sim.Counters().Requests {
				requests += n
			}
			b.ReportMetric(float64(requests)/float64(b.N), "requests/op")
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/1e6-float64(latency)/1e6, "ms-over-sensor/op")
		})
	}
}

// BenchmarkGetFile downloads 64 MiB; BenchmarkCopy takes the same bytes from the
// same server by net/http alone.
func BenchmarkGetFile(b *testing.B) {
	sim, s := benchSession(b)
	const size = 64 << 20
	if err := sim.WriteFile(1, `c:\windows\temp\big`, noise(1, size)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.GetFile(b.Context(), `c:\windows\temp\big`, edr.Range{}, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCopy(b *testing.B) {
	sim, s := benchSession(b)
	const size = 64 << 20
	if err := sim.WriteFile(1, `c:\windows\temp\big`, noise(1, size)); err != nil {
		b.Fatal(err)
	}
	if _, err := s.GetFile(b.Context(), `c:\windows\temp\big`, edr.Range{}, io.Discard); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		req, _ := http.NewRequestWithContext(b.Context(), "GET", sim.URL+"/api/v1/cblr/session/1/file/1/content", nil)
		req.Header.Set("X-Auth-Token", sim.Token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil || n != size {
			b.Fatal(n, err)
		}
	}
	b.Cleanup(http.DefaultClient.CloseIdleConnections)
}

// BenchmarkPutFile uploads 64 MiB.
func BenchmarkPutFile(b *testing.B) {
	_, s := benchSession(b)
	content := string(noise(1, 64<<20))
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.PutFile(b.Context(), `c:\windows\temp\up`, strings.NewReader(content)); err != nil {
			b.Fatal(err)
		}
		if err := s.DeleteFile(b.Context(), `c:\windows\temp\up`); err != nil {
			b.Fatal(err)
		}
	}
}
