package setup

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"edrpipe/internal/config"
	"edrpipe/internal/kinds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func whole(dir string) Plan {
	return Plan{
		Dir: dir, Listen: "127.0.0.1:7480", DryRun: true, Systemd: true, Compose: true, User: "edrpipe", Binary: "/bin/pipeline",
		EDR: []Server{{Name: "hq", URL: "https://edr.example.com", Token: "api-token", CA: []byte("PEM"), AMQP: AMQP{URL: "amqp://cb@edr.example.com:5004/", Password: "amqp-password"}}},
		Bus: Bus{URL: "nats://bus.example:4222", User: "service", Password: "bus-password"},
	}
}

// several is a plan with servers of both kinds; one has a name that is also that of
// other secrets.
func several(dir string) Plan {
	p := whole(dir)
	p.EDR[0].AMQP.CA = []byte("PEM")
	p.EDR = append(p.EDR, Server{Name: "bus", URL: "https://edr.example.org", Tenant: "acme", Token: "api-token", CA: []byte("PEM")},
		Server{Name: "cloud", Kind: kinds.CloudKind, OrgKey: "A1B2C3D4", URL: "https://cloud.example.com", Token: "api-token", Pin: strings.Repeat("ab", 32)})
	return p
}

func TestWhatIsWrittenIsAConfiguration(t *testing.T) {
	for name, p := range map[string]Plan{
		"whole": whole(""), "several": several(""), "simulator": {Listen: "127.0.0.1:7480", EDR: []Server{{Name: "sim", URL: "http://127.0.0.1:7443"}}},
		"hostile name":       {Listen: "127.0.0.1:7480", EDR: []Server{{Name: "a\":{b#d", URL: "https://edr.example.com", Token: "t"}}},
		"several of hostile": {Listen: "127.0.0.1:7480", EDR: []Server{{Name: "a\":{b#d", URL: "https://edr.example.com", Token: "t"}, {Name: "}}'", URL: "https://edr2.example.com", Token: "t"}}},
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
			if got := loadedServers(c, p); !reflect.DeepEqual(got, p.EDR) || c.DryRun != p.DryRun || c.Bus.URL != p.Bus.URL {
				t.Errorf("the file says %+v, want %+v; all of it: %+v", got, p.EDR, c)
			}
			for _, k := range config.Keys() {
				if file := k.Text(c); k.Secret == "file" && file != "" {
					isPrivate(t, p, file)
				}
			}
			for _, s := range c.Servers {
				for _, file := range append(kinds.Files(s), s.AMQP.Password) {
					isPrivate(t, p, cmp.Or(file, "secrets/ingest.token"))
				}
			}
		})
	}
}

func isPrivate(t *testing.T, p Plan, file string) {
	t.Helper()
	if info, err := os.Stat(filepath.Join(p.Dir, file)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", file, info, err)
	}
}

// loadedServers converts the servers of a loaded configuration to those of a plan: the
// contents of secret and CA files take the place of their names, and a generated token
// is left out.
func loadedServers(c config.Config, p Plan) (all []Server) {
	read := func(file string) []byte {
		if file == "" {
			return nil
		}
		data, err := os.ReadFile(filepath.Join(p.Dir, file))
		if err != nil {
			return []byte(err.Error())
		}
		return bytes.TrimSpace(data)
	}
	for i, s := range c.AllServers() {
		of := Server{Name: s.Name, Tenant: s.Tenant, AMQP: AMQP{URL: s.AMQP.URL, Password: string(read(s.AMQP.Password)), CA: read(s.AMQP.CA)}}
		switch own := s.Own.(type) {
		case *config.CarbonBlack:
			of.URL, of.Token, of.CA, of.Pin = own.URL, string(read(own.Token)), read(own.CA), own.Pin
		case *kinds.Cloud:
			of.Kind, of.OrgKey, of.URL, of.Token, of.CA, of.Pin = s.Kind, own.OrgKey, own.URL, string(read(own.Token)), read(own.CA), own.Pin
		}
		if p.EDR[i].Token == "" && len(of.Token) == 40 {
			of.Token = ""
		}
		all = append(all, of)
	}
	return all
}

func TestSecretsAreInTheirFilesOnly(t *testing.T) {
	p := several(filepath.Join(t.TempDir(), "site"))
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
		"EDR server":       func(p *Plan) { p.EDR[0].URL = "edr.example.com" },
		"needs an EDR":     func(p *Plan) { p.EDR = nil },
		"form https://":    func(p *Plan) { p.EDR[0].URL = "" },
		"two EDR servers":  func(p *Plan) { p.EDR = append(p.EDR, p.EDR[0]); p.EDR[1].Name = "HQ" },
		"dot at its":       func(p *Plan) { p.EDR[0].Name = ".." },
		"form nats://":     func(p *Plan) { p.Bus.URL = "http://bus" },
		"form amqp://":     func(p *Plan) { p.EDR[0].AMQP.URL = "edr:5004" },
		"holds a password": func(p *Plan) { p.EDR[0].AMQP.URL = "amqp://cb:secret@edr:5004/" },
		"name \"a b\"":     func(p *Plan) { p.EDR[0].Name = "a b" },
		"needs a password": func(p *Plan) { p.EDR[0].AMQP.Password = "" },
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
