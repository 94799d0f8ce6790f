package kinds

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
)

// cloudFile is a configuration of one simulated organisation.
func cloudFile(t *testing.T, sim *edrsim.Server, more string) config.Server {
	t.Helper()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(sim.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pipeline.yaml")
	text := "servers:\n  - { name: cloud, kind: carbonblack-cloud, url: \"" + sim.URL + "\", org_key: A1B2C3D4, token_file: " + token + more + " }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(file, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.AllServers()[0]
}

func TestCloudFromItsConfiguration(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Kind: edrsim.KindCloud, Sensors: 3}).Start()
	t.Cleanup(sim.Close)
	s := cloudFile(t, sim, ", rate: 50, alerts: { poll: 2m }")
	server, err := Open(s, new(Shared), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.(interface{ CloseIdle() }).CloseIdle)
	if one, err := server.Sensor(t.Context(), "6231047"); err != nil || one.OS != edr.Windows {
		t.Errorf("Sensor = %+v, %v", one, err)
	}
	if src := Source(s, server, t.TempDir(), zerolog.Nop()); src == nil || src.Name() != "alerts:cloud" {
		t.Errorf("source %v", src)
	}
	s.Own.(*Cloud).Alerts.Poll = 0
	if src := Source(s, server, t.TempDir(), zerolog.Nop()); src != nil {
		t.Errorf("source %v although polling is off", src)
	}
}

func TestCloudKeysThatCannotWork(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Cloud){
		"url":         func(k *Cloud) { k.URL = "http://defense.example.test" },
		"rate":        func(k *Cloud) { k.Rate = 0 },
		"alerts.poll": func(k *Cloud) { k.Alerts.Poll = time.Second },
	} {
		k := newCloud()
		k.URL, k.OrgKey = "https://defense.example.test", "A1B2C3D4"
		change(k)
		var bad []string
		k.Check(func(key, _ string, _ ...any) { bad = append(bad, key) })
		if strings.Join(bad, " ") != want {
			t.Errorf("bad keys %q, want %s", bad, want)
		}
	}
}
