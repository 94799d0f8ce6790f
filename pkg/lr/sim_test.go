package lr_test

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edr/edrtest"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/lr"
)

// simulate starts a simulated server whose clock runs a hundred times faster:
// check-ins come every 300 ms.
func simulate(t testing.TB, cfg edrsim.Config) *edrsim.Server {
	t.Helper()
	if cfg.TimeScale == 0 {
		cfg.TimeScale = 100
	}
	sim := edrsim.New(cfg).Start()
	t.Cleanup(sim.Close)
	return sim
}

func dial(t testing.TB, sim *edrsim.Server, change ...func(*lr.Config)) *lr.Client {
	t.Helper()
	cfg := lr.Config{
		URL: sim.URL, Token: sim.Token, Backoff: 2 * time.Millisecond, Settle: 300 * time.Millisecond,
		// The sensor's patience of 120 s is 1.2 s here.
		KeepAlive: 200 * time.Millisecond,
	}
	for _, c := range change {
		c(&cfg)
	}
	c, err := lr.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

func TestConformance(t *testing.T) {
	for _, version := range edrsim.Versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			edrtest.Run(t, func(t *testing.T) edrtest.Backend {
				return backend(t, edrsim.Config{Version: version, Sensors: 130})
			})
		})
	}
}

func backend(t *testing.T, cfg edrsim.Config) edrtest.Backend {
	cfg.Sensors, cfg.CheckIn = max(cfg.Sensors, 3), 3*time.Second
	sim := simulate(t, cfg)
	if err := sim.SetPower(2, false); err != nil {
		t.Fatal(err)
	}
	sim.Advance(10 * time.Minute)
	return edrtest.Backend{
		Server: dial(t, sim), Sensor: "1", Offline: "2", Unknown: "999",
		Dir: `c:\windows\temp`, Key: `HKLM\Software`, Command: `cmd.exe /c echo hello`,
	}
}

var everyQuirk = flag.Bool("quirks", false, "run the conformance suite under every single quirk of the simulated server (a minute)")

// TestEveryQuirk changes one behaviour of the server at a time.
func TestEveryQuirk(t *testing.T) {
	if !*everyQuirk {
		t.Skip("without -quirks")
	}
	for _, quirk := range edrsim.AllQuirks() {
		for _, value := range quirk.Values[1:] {
			switch {
			case quirk.Name == "cblr", quirk.Name == "licence" && value == "<status>": // no Live Response, no conformance
				continue
			case strings.HasPrefix(value, "<"):
				value = map[string]string{"<status>": "503", "<bytes>": "4000000", "<duration>": "2s", "<offset>": "-05:00"}[value]
			}
			t.Run(quirk.Name+"="+value, func(t *testing.T) {
				t.Parallel()
				edrtest.Run(t, func(t *testing.T) edrtest.Backend {
					if quirk.Name == "closed-session" && strings.HasSuffix(t.Name(), "commands_can_be_read") {
						t.Skip("this server forgets closed sessions")
					}
					return backend(t, edrsim.Config{Quirks: edrsim.Quirks{quirk.Name: value}})
				})
			})
		}
	}
}

// TestIsolationIsFollowed waits for the sensor itself, not only for the request.
func TestIsolationIsFollowed(t *testing.T) {
	for _, version := range edrsim.Versions {
		c := dial(t, simulate(t, edrsim.Config{Version: version, CheckIn: 3 * time.Second}))
		for want, state := range map[bool]edr.Isolation{true: edr.Isolated, false: edr.NotIsolated} {
			if err := c.SetIsolation(t.Context(), "1", want); err != nil {
				t.Fatalf("%s: %v", version, err)
			}
			if s, err := c.AwaitIsolation(t.Context(), "1"); err != nil || s.Isolation != state {
				t.Errorf("%s: isolation %v gives %s, %v", version, want, s.Isolation, err)
			}
		}
	}
}

func TestBans(t *testing.T) {
	c := dial(t, simulate(t, edrsim.Config{}))
	const md5 = "D41D8CD98F00B204E9800998ECF8427E"
	if err := c.Ban(t.Context(), md5, "because"); err != nil {
		t.Fatal(err)
	}
	all, err := c.Bans(t.Context())
	if err != nil || len(all) != 1 || all[0].MD5 != strings.ToLower(md5) || !all[0].Enabled || all[0].Reason != "because" {
		t.Errorf("Bans = %+v, %v", all, err)
	}
}

// TestGroupNames reads the names of groups in every version of the server; a fleet
// whose groups have names only keeps them apart.
func TestGroupNames(t *testing.T) {
	for _, version := range edrsim.Versions {
		sim := simulate(t, edrsim.Config{Version: version, Fleet: []edrsim.SensorSpec{
			{Hostname: "DC-{n}", Count: 2, Group: "Domain Controllers"}, {Hostname: "PC-{n}", Group: "Office"}, {Hostname: "X-{n}"},
		}})
		c := dial(t, sim)
		want := map[string]string{"1": "Domain Controllers", "2": "Domain Controllers", "3": "Office", "4": "Default Group"}
		all, err := c.Sensors(t.Context(), edr.SensorQuery{})
		if err != nil || len(all) != len(want) {
			t.Fatalf("%s: %d sensors, %v", version, len(all), err)
		}
		for _, s := range all {
			one, err := c.Sensor(t.Context(), s.ID)
			if err != nil || s.Group != want[s.ID] || one.Group != want[s.ID] {
				t.Errorf("%s: sensor %s is in %q, listed in %q, %v; want %q", version, s.ID, one.Group, s.Group, err, want[s.ID])
			}
		}
	}
}

// TestAGroupThatIsNotAnsweredIsUnread: it may be answered the next time; what the token
// may not read or the server does not have stays unknown.
func TestAGroupThatIsNotAnsweredIsUnread(t *testing.T) {
	for status, unread := range map[int]bool{http.StatusServiceUnavailable: true, http.StatusUnauthorized: false, http.StatusForbidden: false, http.StatusNotFound: false} {
		sim := edrsim.New(edrsim.Config{})
		t.Cleanup(sim.Close)
		answers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/group") {
				http.Error(w, "no", status)
				return
			}
			sim.ServeHTTP(w, r)
		})
		front := httptest.NewServer(answers)
		t.Cleanup(front.Close)
		c, err := lr.New(lr.Config{URL: front.URL, Token: sim.Token, AllowPlain: true, Backoff: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.CloseIdle)
		for range 2 { // the second is not a request
			if s, err := c.Sensor(t.Context(), "1"); err != nil || s.Group != "" || s.GroupUnread != unread {
				t.Errorf("HTTP %d: group %q, unread %v, %v", status, s.Group, s.GroupUnread, err)
			}
		}
	}
}
