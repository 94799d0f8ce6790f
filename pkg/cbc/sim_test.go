package cbc

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edr/edrtest"
	"edrpipe/pkg/edrsim"
)

const testToken = "SECRET0123456789/APIID"

// fast is a configuration for tests in real time.
func fast(sim *edrsim.Server) Config {
	return Config{
		URL: sim.URL, OrgKey: sim.OrgKey(), Token: testToken, Name: "cloud", Limiter: NewLimiter(1e6, 1e6),
		Poll: 2 * time.Millisecond, Backoff: time.Millisecond, Settle: 100 * time.Millisecond, RequestTimeout: 20 * time.Second,
	}
}

// simulated is a client of a server with the given configuration.
func simulated(t *testing.T, cfg edrsim.Config) (*Client, *edrsim.Server) {
	t.Helper()
	cfg.Kind, cfg.Token = edrsim.KindCloud, testToken
	if cfg.CheckIn == 0 {
		cfg.CheckIn = 5 * time.Millisecond
	}
	if len(cfg.Fleet) == 0 {
		cfg.Fleet = []edrsim.SensorSpec{{Latency: edrsim.Latency{Min: time.Millisecond, Max: 2 * time.Millisecond}}, {Power: edrsim.Power{AsleepUntil: 1e6 * time.Hour}}, {OS: "linux"}}
	}
	sim := edrsim.New(cfg).Start()
	t.Cleanup(sim.Close)
	c, err := New(fast(sim))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c, sim
}

// TestConformance runs the suite of edr.Server, with each of the quirks that change
// what a client sees of a session.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]edrsim.Quirks{
		"defaults": nil,
		"the other side": {
			"session-reply": "full", "status-case": "upper", "command-ids": "1", "time-format": "ms", "list-envelope": "results", "keepalive-reply": "json",
			"registry-names": "registry", "reg-type-prefix": "pb", "result-code": "signed", "content": "200", "action-reply": "200", "device-name": "domain",
			"duplicate-session": "409", "command-list": "summary", "process-details": "present", "closed-session": "readable", "keepalive-pending": "close",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edrtest.Run(t, func(t *testing.T) edrtest.Backend {
				c, _ := simulated(t, edrsim.Config{Quirks: quirks})
				return edrtest.Backend{
					Server: c, Sensor: "6231047", Offline: "6231048", Unknown: "42", Dir: `c:\windows\temp`, Key: `HKLM\SOFTWARE`,
					Command: `cmd.exe /c echo hello`, NoReturnCode: true, ForgetsClosed: true,
				}
			})
		})
	}
}

func TestPowers(t *testing.T) {
	t.Parallel()
	for _, p := range edr.PowersOf((*Client)(nil), (*Session)(nil)) {
		if p == edr.PowerArchive {
			t.Error("Carbon Black Cloud has no session archive")
		}
	}
}

// inMemory answers a client's requests by calling the server's handler, for virtual time.
type inMemory struct{ http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.RemoteAddr = "192.0.2.1:1"
	m.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}
