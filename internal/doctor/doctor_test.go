package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edrpipe/internal/config"
	"edrpipe/pkg/edrsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const rule = `rules:
  - id: one
    title: One
    severity: low
    on: process_start
    when: process.name == "a.exe"
    steps: [ { uses: list_processes } ]
    tests:
      - { name: t, events: [ { type: ingress.event.procstart, sensor: { id: 1 }, process: { name: a.exe, path: 'c:\a.exe', guid: g } } ], expect: [ { run: list_processes } ] }
`

// healthy is a configuration in which nothing is wrong, on a simulated server.
func healthy(t *testing.T, sim edrsim.Config) *Doctor {
	t.Helper()
	server := edrsim.New(sim).Start()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	write(t, dir, "rules/one.yaml", rule)
	write(t, dir, "guards.yaml", "breaker: { jobs: 3, per: 10m }\n")
	write(t, dir, "edr.token", server.Token)
	write(t, dir, "ingest.token", "x")
	c := config.Default()
	c.Data, c.Guards = "data", "guards.yaml"
	c.EDR.URL, c.EDR.Token = server.URL, "edr.token"
	c.Sources.HTTP.Token = "ingest.token"
	c.Web.Listen = "127.0.0.1:0"
	c.Bus.Floor, c.Bus.Events.Bytes, c.Bus.Results.Bytes, c.Bus.History.Bytes, c.Bus.Dead.Bytes = 0, 1, 1, 1, 1
	return &Doctor{Config: c, Dir: dir, Service: "http://127.0.0.1:1", Now: time.Now, Within: 5 * time.Second}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func findings(t *testing.T, d *Doctor) []Finding {
	t.Helper()
	var all []Finding
	d.Run(t.Context(), func(x Finding) { all = append(all, x) })
	return all
}

func TestNothingIsWrong(t *testing.T) {
	t.Parallel()
	for _, x := range findings(t, healthy(t, edrsim.Config{TimeScale: 100})) {
		if x.State != OK {
			t.Errorf("%+v", x)
		}
	}
}

// TestEachFaultHasItsFindingAndItsCure makes one thing wrong at a time.
func TestEachFaultHasItsFindingAndItsCure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sim         edrsim.Config
		change      func(*testing.T, *Doctor)
		check       string
		state       State
		text, cured string
	}{
		"token refused": {change: func(t *testing.T, d *Doctor) { write(t, d.Dir, "edr.token", "wrong") }, check: "edr", state: Failed, text: "refuse", cured: "edr.token_file"},
		"server down":   {change: func(_ *testing.T, d *Doctor) { d.Config.EDR.URL = "http://127.0.0.1:1" }, check: "edr", state: Failed, text: "no connection", cured: "firewall"},
		"name unknown":  {change: func(_ *testing.T, d *Doctor) { d.Config.EDR.URL = "https://no-such-host.invalid" }, check: "edr", state: Failed, text: "cannot be resolved", cured: "DNS"},
		"no server":     {change: func(_ *testing.T, d *Doctor) { d.Config.EDR.URL = "" }, check: "edr", state: Failed, text: "not set", cured: "init --sim"},
		"live response disabled": {
			sim: edrsim.Config{Quirks: edrsim.Quirks{"cblr": "disabled"}}, change: func(*testing.T, *Doctor) {}, check: "edr", state: Failed, text: "Live Response", cured: "console",
		},
		"clock wrong":     {change: func(_ *testing.T, d *Doctor) { d.Now = func() time.Time { return time.Now().Add(time.Hour) } }, check: "clock", state: Degraded, text: "differ by", cured: "NTP"},
		"secret missing":  {change: func(_ *testing.T, d *Doctor) { d.Config.Sources.HTTP.Token = "nope" }, check: "secrets", state: Failed, text: "sources.http.token_file", cured: "make the file"},
		"secret empty":    {change: func(t *testing.T, d *Doctor) { write(t, d.Dir, "ingest.token", "") }, check: "secrets", state: Failed, text: "is empty", cured: "write the secret"},
		"secret readable": {change: func(t *testing.T, d *Doctor) { chmod(t, d, "ingest.token", 0o644) }, check: "secrets", state: Degraded, text: "mode 0644", cured: "chmod 600 ingest.token"},
		"insecure":        {change: func(_ *testing.T, d *Doctor) { d.Config.EDR.Insecure = true }, check: "exposure", state: Degraded, text: "edr.insecure", cured: "set edr.ca or edr.pin"},
		"rule wrong":      {change: func(t *testing.T, d *Doctor) { write(t, d.Dir, "rules/two.yaml", "rules: [ { id: two } ]\n") }, check: "rules", state: Failed, text: "two.yaml", cured: "pipeline rules check rules"},
		"no rule":         {change: func(t *testing.T, d *Doctor) { remove(t, d, "rules/one.yaml") }, check: "rules", state: Failed, text: "no rule files", cured: "pipeline rules check"},
		"test fails": {
			change: func(t *testing.T, d *Doctor) {
				write(t, d.Dir, "rules/one.yaml", strings.Replace(rule, `== "a.exe"`, `== "b.exe"`, 1))
			},
			check: "rules", state: Degraded, text: "1 of 1 tests fail", cured: "pipeline rules test",
		},
		"script missing": {
			change: func(t *testing.T, d *Doctor) {
				write(t, d.Dir, "rules/one.yaml", strings.Split(strings.Replace(rule, "uses: list_processes", `uses: put_file, with: { file: "x.ps1", path: 'c:\x.ps1' }`, 1), "    tests:")[0])
			},
			check: "rules", state: Failed, text: "scripts is not set", cured: "set scripts",
		},
		"guards wrong":    {change: func(t *testing.T, d *Doctor) { write(t, d.Dir, "guards.yaml", "nothing: like this\n") }, check: "guards", state: Failed, text: "guards.yaml", cured: "correct"},
		"no guards":       {change: func(_ *testing.T, d *Doctor) { d.Config.Guards = "" }, check: "guards", state: Degraded, text: "no guards file", cured: "docs/guards.md"},
		"dry run":         {change: func(_ *testing.T, d *Doctor) { d.Config.DryRun = true }, check: "guards", state: Degraded, text: "nothing acts", cured: "dry_run"},
		"disk full":       {change: func(_ *testing.T, d *Doctor) { d.Config.Bus.Floor = 1 << 60 }, check: "disk", state: Failed, text: "bus.floor", cured: "make room"},
		"users wrong":     {change: func(_ *testing.T, d *Doctor) { d.Config.Web.Users = "no-such.yaml" }, check: "web", state: Failed, text: "no-such.yaml", cured: "users add"},
		"address used":    {change: func(_ *testing.T, d *Doctor) { d.Config.Web.Listen = strings.TrimPrefix(d.Config.EDR.URL, "http://") }, check: "service", state: Failed, text: "not free", cured: "web.listen"},
		"something else":  {change: func(_ *testing.T, d *Doctor) { d.Service = d.Config.EDR.URL }, check: "service", state: Failed, text: "something else", cured: "web.listen"},
		"bus down":        {change: func(_ *testing.T, d *Doctor) { d.Config.Bus.URL, d.Within = "nats://127.0.0.1:1", time.Second }, check: "bus", state: Failed, text: "127.0.0.1:1", cured: "is NATS up"},
		"no posts":        {change: func(_ *testing.T, d *Doctor) { d.Config.Sources.HTTP.Token = "" }, check: "sources", state: Degraded, text: "posts of events are off", cured: "token"},
		"file not there":  {change: func(_ *testing.T, d *Doctor) { d.Config.Sources.Files = []string{"gone.json"} }, check: "sources", state: Degraded, text: "gone.json", cured: "name right"},
		"rabbit down":     {change: func(_ *testing.T, d *Doctor) { d.Config.Sources.AMQP.URL = "amqp://cb@127.0.0.1:1/" }, check: "sources", state: Failed, text: "RabbitMQ", cured: "cb.conf"},
		"data unwritable": {change: func(_ *testing.T, d *Doctor) { d.Config.Data = "guards.yaml/below" }, check: "data", state: Failed, text: "guards.yaml", cured: "set data"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.sim.TimeScale = 100
			d := healthy(t, c.sim)
			c.change(t, d)
			all := findings(t, d)
			for _, x := range all {
				if x.Check == c.check && x.State == c.state && strings.Contains(x.Text, c.text) && strings.Contains(x.Cure, c.cured) {
					return
				}
			}
			t.Errorf("no finding of %s is %s with %q and the cure %q:\n%+v", c.check, c.state, c.text, c.cured, all)
		})
	}
}

func chmod(t *testing.T, d *Doctor, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(filepath.Join(d.Dir, name), mode); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, d *Doctor, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(d.Dir, name)); err != nil {
		t.Fatal(err)
	}
}

// TestLicenceOfTheServer: an ended licence is told with its day, before jobs wait for it.
func TestLicenceOfTheServer(t *testing.T) {
	t.Parallel()
	for licence, want := range map[string]State{"valid": OK, "expired": Degraded, "403": Failed} {
		var got []Finding
		for _, x := range findings(t, healthy(t, edrsim.Config{TimeScale: 100, Quirks: edrsim.Quirks{"licence": licence}})) {
			if x.Check == "edr" && strings.Contains(x.Text, "licence") {
				got = append(got, x)
			}
		}
		if len(got) != 1 || got[0].State != want || !strings.Contains(got[0].Text, "20") || (got[0].Cure == "") != (want == OK) {
			t.Errorf("%s: %+v", licence, got)
		}
	}
}
