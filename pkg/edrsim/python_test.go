package edrsim_test

import (
	"os/exec"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
)

// TestIndependentClient lets a client that shares no code with this one use
// everything there is, over TLS.
func TestIndependentClient(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not here: the independent client cannot be run")
	}
	for _, version := range edrsim.Versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			cfg := edrsim.Config{Version: version, Sensors: 4, TimeScale: 20, CheckIn: 2 * time.Second, Seed: 1}
			// The client is written for servers that have all of the API.
			cfg.Quirks = edrsim.Quirks{"sensor-v2": "present", "partitions": "200", "empty-sensor-list": "204"}
			sim := edrsim.New(cfg).StartTLS()
			defer sim.Close()
			out, err := exec.CommandContext(t.Context(), python, "testdata/client.py", sim.URL, sim.Token).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}
