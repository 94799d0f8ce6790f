package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"edrpipe/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pipeline.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLaterOriginsWin(t *testing.T) {
	name := write(t, "edr:\n  name: from-file\n  sessions: 7\n  url: https://edr.example\n")
	c, origins, err := config.Load(name,
		[]string{"EDRPIPE_EDR_SESSIONS=6", "EDRPIPE_EDR_NAME=from-env", "PATH=/bin"},
		map[string]string{"edr.name": "from-flag", "sources.files": "a, b", "grace": "3s"})
	if err != nil {
		t.Fatal(err)
	}
	if c.EDR.Name != "from-flag" || c.EDR.Sessions != 6 || c.EDR.URL != "https://edr.example" || c.Grace != 3*time.Second {
		t.Errorf("configuration = %+v", c)
	}
	if diff := cmp.Diff([]string{"a", "b"}, c.Sources.Files); diff != "" {
		t.Errorf("list from a flag: %s", diff)
	}
	for path, want := range map[string]string{
		"edr.name": "--edr.name", "edr.sessions": "$EDRPIPE_EDR_SESSIONS", "edr.url": name + ":4", "edr.reserve": "default",
	} {
		if origins[path] != want {
			t.Errorf("origin of %s = %q, want %q", path, origins[path], want)
		}
	}
}

func TestMistakesAreToldWithTheirPlace(t *testing.T) {
	for name, tc := range map[string]struct {
		file    string
		environ []string
		flags   map[string]string
		want    []string
	}{
		"unknown key":          {file: "edr:\n  nmae: x\n", want: []string{"pipeline.yaml:2:3", "nmae", "name"}},
		"wrong type":           {file: "edr:\n  sessions: many\n", want: []string{"pipeline.yaml:2:13", "many"}},
		"unknown variable":     {environ: []string{"EDRPIPE_EDR_NMAE=x"}, want: []string{"EDRPIPE_EDR_NMAE", "EDRPIPE_EDR_NAME"}},
		"bad flag":             {flags: map[string]string{"grace": "soon"}, want: []string{"grace", "soon", "duration"}},
		"bad variable":         {environ: []string{"EDRPIPE_EDR_SESSIONS=x"}, want: []string{"edr.sessions (from $EDRPIPE_EDR_SESSIONS)", "number"}},
		"password, by file":    {file: "sources: { amqp: { url: \"amqp://cb:hunter2@edr/\" } }\n", want: []string{"sources.amqp.url", "pipeline.yaml:1", "password_file"}},
		"password, one of two": {environ: []string{"EDRPIPE_BUS_URL=nats://a:4222,nats://service:hunter2@b:4222"}, want: []string{"bus.url (from $EDRPIPE_BUS_URL)"}},
		"a token for NATS":     {flags: map[string]string{"bus.url": "nats://hunter2@a:4222"}, want: []string{"bus.url (from --bus.url)"}},
		"clear-text token":     {file: "edr:\n  url: http://edr.example\n", want: []string{"edr.url", "pipeline.yaml:2", "https://"}},
		"nothing left to use":  {flags: map[string]string{"edr.sessions": "1", "edr.reserve": "1"}, want: []string{"edr.reserve", "--edr.reserve"}},
		"not one of the words": {file: "log:\n  level: loud\n", want: []string{"pipeline.yaml:2:10", "loud", "debug, info, warn, error"}},
		"not a word, by flag":  {flags: map[string]string{"log.level": "loud"}, want: []string{"log.level", "--log.level", "debug, info, warn, error"}},
		"a reader's name":      {file: "bus:\n  readers: [a.b]\n", want: []string{"bus.readers", "pipeline.yaml:2", "a.b"}},
		"a user for nothing":   {file: "bus:\n  listen: 127.0.0.1:4222\n  user: me\n", want: []string{"bus.user", "pipeline.yaml:3", "bus.password_file"}},
		"a server's port":      {flags: map[string]string{"bus.url": "nats://a", "bus.monitor": "a:8222"}, want: []string{"bus.monitor", "--bus.monitor", "http://host:8222"}},
		"nobody to monitor":    {flags: map[string]string{"bus.monitor": "http://a:8222"}, want: []string{"bus.monitor", "bus.url"}},
		"several at once":      {file: "x: 1\ny: 2\n", want: []string{":1:1", ":2:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := ""
			if tc.file != "" {
				file = write(t, tc.file)
			}
			_, _, err := config.Load(file, tc.environ, tc.flags)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the secret: %v", err)
			}
			for _, w := range tc.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error does not say %q:\n%v", w, err)
				}
			}
		})
	}
}

func TestExampleIsTheDefault(t *testing.T) {
	var b strings.Builder
	if err := config.Example(&b); err != nil {
		t.Fatal(err)
	}
	c, origins, err := config.Load(write(t, b.String()), nil, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	if diff := cmp.Diff(config.Default(), c, cmp.Transformer("nilIsEmpty", func(s []string) string { return strings.Join(s, ",") })); diff != "" {
		t.Errorf("the example differs from the defaults: %s", diff)
	}
	for path, from := range origins {
		if from == "default" {
			t.Errorf("the example leaves %s out", path)
		}
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range config.Keys() {
		if k.Doc == "" {
			t.Errorf("%s has no documentation", k.Path)
		}
		if seen[k.Env()] {
			t.Errorf("%s: two keys share the variable %s", k.Path, k.Env())
		}
		seen[k.Env()] = true
	}
}

func TestPrintTellsOrigins(t *testing.T) {
	c, origins, err := config.Load(write(t, "edr: { name: x }\n"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := config.Print(&b, c, origins); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "name: x  # ") || !strings.Contains(b.String(), "sessions: 10  # default") {
		t.Errorf("printed:\n%s", b.String())
	}
}

// TestPrintIsAConfiguration holds what is printed to mean what was loaded, whatever
// is in a text.
func TestPrintIsAConfiguration(t *testing.T) {
	for _, text := range []string{"a: b # c", "yes", "12", "- x", "line\nbreak", "#", "'", `"`, " blank ", "C:\\temp", "ünï"} {
		want := config.Default()
		want.Guards = text
		var b strings.Builder
		if err := config.Print(&b, want, config.Origins{}); err != nil {
			t.Fatal(err)
		}
		if got, _, err := config.Load(write(t, b.String()), nil, nil); err != nil || got.Guards != text {
			t.Errorf("%q is read back as %q, %v", text, got.Guards, err)
		}
	}
}
