package lr_test

import (
	"testing"
	"time"

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
				sim := simulate(t, edrsim.Config{Version: version, Sensors: 130, CheckIn: 3 * time.Second})
				if err := sim.SetPower(2, false); err != nil {
					t.Fatal(err)
				}
				sim.Advance(10 * time.Minute)
				return edrtest.Backend{
					Server: dial(t, sim), Sensor: 1, Offline: 2, Unknown: 999,
					Dir: `c:\windows\temp`, Key: `HKLM\Software`, Command: `cmd.exe /c echo hello`,
				}
			})
		})
	}
}
