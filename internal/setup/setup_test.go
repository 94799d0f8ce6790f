package setup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"edrpipe/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func whole(dir string) Plan {
	return Plan{
		Dir: dir, Listen: "127.0.0.1:7480", DryRun: true, Systemd: true, Compose: true, User: "edrpipe", Binary: "/bin/pipeline",
		EDR:  Server{Name: "hq", URL: "https://edr.example.com", Token: "api-token", CA: []byte("PEM")},
		Bus:  Bus{URL: "nats://bus.example:4222", User: "service", Password: "bus-password"},
		AMQP: AMQP{URL: "amqp://cb@edr.example.com:5004/", Password: "amqp-password"},
	}
}

func TestWhatIsWrittenIsAConfiguration(t *testing.T) {
	for name, p := range map[string]Plan{
		"whole": whole(""), "simulator": {Listen: "127.0.0.1:7480", EDR: Server{Name: "sim", URL: "http://127.0.0.1:7443"}},
		"hostile name": {Listen: "127.0.0.1:7480", EDR: Server{Name: "a\":{b#d", URL: "https://edr.example.com", Token: "t"}},
	} {
		t.Run(name, func(t *testing.T) {
			p.Dir = filepath.Join(t.TempDir(), "site")
			if _, err := p.Write(); err != nil {
				t.Fatal(err)
			}
			c, _, err := config.Load(filepath.Join(p.Dir, "pipeline.yaml"), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.EDR.Name != p.EDR.Name || c.EDR.URL != p.EDR.URL || c.DryRun != p.DryRun || c.Bus.URL != p.Bus.URL || c.Sources.AMQP.URL != p.AMQP.URL {
				t.Errorf("the file says %+v", c)
			}
			for _, k := range config.Keys() {
				file := k.Text(c)
				if k.Secret != "file" || file == "" {
					continue
				}
				if info, err := os.Stat(filepath.Join(p.Dir, file)); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v, %v", k.Path, info, err)
				}
			}
		})
	}
}

func TestSecretsAreInTheirFilesOnly(t *testing.T) {
	p := whole(filepath.Join(t.TempDir(), "site"))
	names, err := p.Write()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"api-token", "bus-password", "amqp-password"} {
			if strings.Contains(string(data), secret) && !strings.HasPrefix(name, "secrets/") {
				t.Errorf("%s holds %s", name, secret)
			}
		}
	}
	if !slices.Contains(names, "edrpipe.service") || !slices.Contains(names, "compose.yaml") {
		t.Errorf("unit and compose file were asked for: %v", names)
	}
}

func TestNothingIsReplaced(t *testing.T) {
	p := whole(t.TempDir())
	there := filepath.Join(p.Dir, "guards.yaml")
	if err := os.WriteFile(there, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write(); err == nil || !strings.Contains(err.Error(), "guards.yaml") {
		t.Fatalf("error %v does not name the file", err)
	}
	entries, err := os.ReadDir(p.Dir)
	if data, _ := os.ReadFile(there); string(data) != "mine" || err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, the file %q", entries, data)
	}
}

func TestBadPlans(t *testing.T) {
	for want, change := range map[string]func(*Plan){
		"EDR server":       func(p *Plan) { p.EDR.URL = "edr.example.com" },
		"form https://":    func(p *Plan) { p.EDR.URL = "" },
		"form nats://":     func(p *Plan) { p.Bus.URL = "http://bus" },
		"form amqp://":     func(p *Plan) { p.AMQP.URL = "edr:5004" },
		"holds a password": func(p *Plan) { p.AMQP.URL = "amqp://cb:secret@edr:5004/" },
		"name \"a b\"":     func(p *Plan) { p.EDR.Name = "a b" },
		"needs a password": func(p *Plan) { p.AMQP.Password = "" },
	} {
		p := whole(filepath.Join(t.TempDir(), "site"))
		change(&p)
		if _, err := p.Write(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
		if _, err := os.Stat(p.Dir); err == nil {
			t.Errorf("%s: something was written", want)
		}
	}
}

// TestTheREADMEShowsTheFirstRule: a reader finds in the file what the page shows.
func TestTheREADMEShowsTheFirstRule(t *testing.T) {
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rule, err := files.ReadFile("files/rules/program-from-temp.yaml")
	if err != nil || !strings.Contains(string(page), string(rule)) {
		t.Errorf("README.md does not show files/rules/program-from-temp.yaml as it is (%v)", err)
	}
}
