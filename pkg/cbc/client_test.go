package cbc

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/liveresponse"
)

func TestConfigRefusesMistakes(t *testing.T) {
	t.Parallel()
	good := Config{URL: "https://defense.example.test", OrgKey: "A1B2C3D4", Token: testToken}
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no URL":           {func(c *Config) { c.URL = "" }, "https://host"},
		"http":             {func(c *Config) { c.URL = "http://defense.example.test" }, "in clear"},
		"a path":           {func(c *Config) { c.URL += "/appservices" }, "has a path"},
		"credentials":      {func(c *Config) { c.URL = "https://u:p@h" }, "credentials"},
		"no org key":       {func(c *Config) { c.OrgKey = "" }, "org key"},
		"org key with ..":  {func(c *Config) { c.OrgKey = "../x" }, "org key"},
		"no token":         {func(c *Config) { c.Token = "" }, "no API token"},
		"token without id": {func(c *Config) { c.Token = "SECRET" }, "SECRET/ID"},
		"token with blank": {func(c *Config) { c.Token = "SECRET/ID x" }, "white space"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			tc.change(&c)
			_, err := New(c)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "SECRET0") || strings.Contains(err.Error(), "u:p") {
				t.Errorf("New = %v, want %q", err, tc.want)
			}
		})
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}

// session opens one on the first device.
func session(t *testing.T, c *Client) *Session {
	t.Helper()
	s, err := c.OpenSession(t.Context(), "6231047")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContentIsFetchedWithoutTheToken(t *testing.T) {
	t.Parallel()
	c, sim := simulated(t, edrsim.Config{})
	sim.WriteFile(1, `c:\a.bin`, bytes.Repeat([]byte("x"), 1<<20))
	sim.FailNext("reset", "GET", "/_storage/")
	var got bytes.Buffer
	info, err := session(t, c).GetFile(t.Context(), `c:\a.bin`, edr.Range{}, &got)
	if err != nil || info.Size != 1<<20 || got.Len() != 1<<20 {
		t.Fatalf("GetFile = %+v, %v", info, err)
	}
	n := sim.Counters().Requests
	if n["GET /_storage/"] < 2 || n["GET /_storage/ with the token"] != 0 {
		t.Errorf("requests to object storage: %d, with the token: %d", n["GET /_storage/"], n["GET /_storage/ with the token"])
	}
	if n["DELETE /appservices/v6/orgs/{org}/liveresponse/sessions/{sid}/files/{fid}"] != 1 {
		t.Error("the stored file was not deleted")
	}
}

func TestRedirectOnlyToHTTPS(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://storage.example.test/secret?signature=s3cret")
		w.WriteHeader(http.StatusFound)
	}))
	defer srv.Close()
	c, err := New(Config{URL: srv.URL, OrgKey: "A1B2C3D4", Token: testToken})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdle()
	stall := liveresponse.WatchStall(time.Minute, func(error) {})
	defer stall.Stop()
	_, f := c.openContent(t.Context(), "/x", edr.Where{}, stall)
	if f == nil || !strings.Contains(f.Error(), "not https") || strings.Contains(f.Error(), "s3cret") {
		t.Errorf("openContent = %v", f)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	t.Run("session limit", func(t *testing.T) {
		c, sim := simulated(t, edrsim.Config{Slots: 1, Sensors: 2, Fleet: edrsim.DefaultFleet(2)})
		session(t, c)
		_, err := c.OpenSession(t.Context(), "6231048")
		if !errors.Is(err, edr.ErrSessionLimit) || errors.Is(err, edr.ErrUnauthorized) {
			t.Errorf("OpenSession = %v", err)
		}
		if sim.Counters().Sessions.Refused != 1 {
			t.Errorf("%d refusals, want one request", sim.Counters().Sessions.Refused)
		}
	})
	t.Run("missing permission", func(t *testing.T) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"error_code":"FORBIDDEN"}`)
		}))
		defer srv.Close()
		c, _ := New(Config{URL: srv.URL, OrgKey: "A1B2C3D4", Token: testToken})
		defer c.CloseIdle()
		_, err := c.Sessions(t.Context())
		if !errors.Is(err, edr.ErrUnauthorized) || !strings.Contains(err.Error(), "org.liveresponse.session") {
			t.Errorf("Sessions = %v", err)
		}
	})
	t.Run("unknown organisation", func(t *testing.T) {
		_, sim := simulated(t, edrsim.Config{})
		conf := fast(sim)
		conf.OrgKey = "OTHER123"
		c, _ := New(conf)
		defer c.CloseIdle()
		if _, err := c.Sensor(t.Context(), "6231047"); !errors.Is(err, edr.ErrUnauthorized) {
			t.Errorf("Sensor = %v", err)
		}
	})
	t.Run("command too large", func(t *testing.T) {
		c, sim := simulated(t, edrsim.Config{})
		s := session(t, c)
		_, err := s.Run(t.Context(), edr.ProcessSpec{CommandLine: strings.Repeat("x", 10<<10)})
		if !errors.Is(err, ErrTooLarge) || sim.Counters().Commands != 0 {
			t.Errorf("Run = %v", err)
		}
	})
	t.Run("registry of another platform", func(t *testing.T) {
		c, _ := simulated(t, edrsim.Config{})
		s, err := c.OpenSession(t.Context(), "6231049")
		if err == nil {
			_, err = s.RegistryKey(t.Context(), "HKLM")
		}
		if !errors.Is(err, edr.ErrUnsupported) {
			t.Errorf("RegistryKey = %v", err)
		}
	})
}

func TestSessionEndsBeforeTheLimitOfCommands(t *testing.T) {
	t.Parallel()
	c, sim := simulated(t, edrsim.Config{})
	s := session(t, c)
	s.sent = maxCommands
	if _, err := s.Processes(t.Context()); !errors.Is(err, edr.ErrSessionGone) {
		t.Errorf("Processes = %v", err)
	}
	if n := sim.Counters().Sessions.Open; n != 0 {
		t.Errorf("%d sessions are open", n)
	}
}

// TestCommandsRunOnce injects faults into the requests that change something.
func TestCommandsRunOnce(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"429", "500", "502", "503", "504", "lost-answer", "reset", "truncated", "error-message"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			c, sim := simulated(t, edrsim.Config{Seed: uint64(len(fault))})
			s := session(t, c)
			sim.FailNext(fault, "POST", "/commands")
			err := s.MakeDir(t.Context(), `c:\once`)
			if err != nil && !errors.Is(err, edr.ErrAmbiguous) {
				t.Errorf("MakeDir = %v", err)
			}
			if fault != "502" && fault != "504" && err != nil { // these may have been taken, and were not
				t.Errorf("MakeDir = %v", err)
			}
			if n := sim.Counters().Duplicates; n != 0 {
				t.Errorf("the command ran %d times too often", n)
			}
		})
	}
}

func TestSessionIsFoundAgainAfterALostAnswer(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"lost-answer", "reset", "truncated", "429", "503"} {
		t.Run(fault, func(t *testing.T) {
			c, sim := simulated(t, edrsim.Config{Quirks: edrsim.Quirks{"duplicate-session": "new"}})
			sim.FailNext(fault, "POST", "/sessions")
			s := session(t, c)
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if got := sim.Counters().Sessions; got.Opened != 1 || got.Open != 0 {
				t.Errorf("sessions %+v", got)
			}
		})
	}
}

func TestQuarantineHasOneFlag(t *testing.T) {
	t.Parallel()
	c, sim := simulated(t, edrsim.Config{CheckIn: time.Hour, TimeScale: 1e-6, Fleet: edrsim.DefaultFleet(1)})
	ctx := t.Context()
	state := func() edr.Isolation {
		s, err := c.Sensor(ctx, "6231047")
		if err != nil {
			t.Fatal(err)
		}
		return s.Isolation
	}
	var got []edr.Isolation
	for _, on := range []bool{true, false} {
		if err := c.SetIsolation(ctx, "6231047", on); err != nil {
			t.Fatal(err)
		}
		got = append(got, state())
		sim.Advance(2 * time.Hour)
		got = append(got, state())
	}
	want := []edr.Isolation{edr.IsolateRequested, edr.Isolated, edr.ReleaseRequested, edr.NotIsolated}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("states %v, want %v", got, want)
			break
		}
	}
	if n := sim.Counters().Requests["POST device_actions by search"]; n != 0 {
		t.Error("a device action was sent by search")
	}
}

func TestBanMakesOneOverride(t *testing.T) {
	t.Parallel()
	c, sim := simulated(t, edrsim.Config{})
	hash := strings.Repeat("AB", 32)
	sim.FailNext("lost-answer", "POST", "/overrides")
	// The first match of the path is the look; the second POST is the override.
	if err := c.Ban(t.Context(), hash, "why"); err != nil {
		t.Fatal(err)
	}
	if err := c.Ban(t.Context(), hash, "why"); err != nil {
		t.Fatal(err)
	}
	found, err := c.Overrides(t.Context(), strings.ToLower(hash))
	if err != nil || len(found) != 1 || found[0].Description != "why" {
		t.Errorf("Overrides = %+v, %v", found, err)
	}
	if err := c.Ban(t.Context(), "d41d8cd98f00b204e9800998ecf8427e", ""); err == nil {
		t.Error("an MD5 was banned")
	}
}

func TestAlertIsClosedAndNoted(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]edrsim.Quirks{"at once": nil, "job not visible at first": {"job-delay": "500ms"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, sim := simulated(t, edrsim.Config{Quirks: quirks})
			ctx := t.Context()
			id, err := sim.RaiseAlert("WATCHLIST", 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := c.CloseAlert(ctx, id, edr.AlertClosing{Reason: "RESOLVED", Determination: "TRUE_POSITIVE"}); err != nil {
					t.Fatal(err)
				}
				if err := c.NoteAlert(ctx, id, "job 1 isolated the device"); err != nil {
					t.Fatal(err)
				}
			}
			a, err := c.Alert(ctx, id)
			if err != nil || a.Status != "CLOSED" || !strings.Contains(string(a.Raw), "TRUE_POSITIVE") {
				t.Errorf("alert = %s, %v", a.Raw, err)
			}
			n := sim.Counters().Requests
			if n["POST /api/alerts/v7/orgs/{org}/alerts/workflow"] != 1 || n["POST /api/alerts/v7/orgs/{org}/alerts/{id}/notes"] != 1 || n["POST alerts/workflow without ids"] != 0 {
				t.Errorf("requests %v", n)
			}
			if err := c.CloseAlert(ctx, "no-such-alert", edr.AlertClosing{}); !errors.Is(err, ErrNotFound) {
				t.Errorf("CloseAlert of an unknown alert = %v", err)
			}
		})
	}
}

func TestAllDevicesOfALargeFleet(t *testing.T) {
	t.Parallel()
	c, sim := simulated(t, edrsim.Config{Fleet: []edrsim.SensorSpec{{Count: 12_000}}})
	all, err := c.Sensors(t.Context(), edr.SensorQuery{})
	if err != nil || len(all) != 12_000 {
		t.Errorf("Sensors = %d, %v", len(all), err)
	}
	if n := sim.Counters().Requests["POST /appservices/v6/orgs/{org}/devices/_scroll"]; n != 2 {
		t.Errorf("%d pages were scrolled, want 2", n)
	}
}

// FuzzReplies: a reply of any shape makes an error, not a panic.
func FuzzReplies(f *testing.F) {
	for _, seed := range []string{
		`{"id":0,"name":"get file","status":"PENDING","file_details":{"file_id":"f"}}`, `[]`, `{"results":[{"id":"1:2","status":"active"}]}`,
		`{"id":1,"name":"x","create_time":133000000000000000,"processes":[{"process_pid":"4"}]}`, `{"error_code":"NOT_FOUND"}`, `{"value":{"registry_data":["a"]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		srv := inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(body) })}
		c, err := New(Config{URL: "https://x", OrgKey: "A", Token: "a/b", Limiter: NewLimiter(1e9, 1e9), Tries: 1, Backoff: 1, Settle: 1})
		if err != nil {
			t.Fatal(err)
		}
		c.access.Load().http.Transport = srv
		_, _ = c.Sensors(t.Context(), edr.SensorQuery{})
		_, _ = c.Sessions(t.Context())
		_, _ = c.Commands(t.Context(), "1:2")
		_, _, _ = c.SearchAlerts(t.Context(), AlertQuery{})
		_, _ = c.OpenSession(t.Context(), "2")
		_, _ = c.Alert(t.Context(), "a")
		if all := c.Permissions(t.Context()); len(all) != len(c.trials()) {
			t.Errorf("%d permissions of %d", len(all), len(c.trials()))
		}
	})
}
