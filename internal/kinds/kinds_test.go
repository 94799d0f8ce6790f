package kinds

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"edrpipe/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good, empty := file("good", "token\n"), file("empty", "\n")
	for name, tc := range map[string]struct {
		kind string
		own  config.KindKeys
		want string // in the error; empty: none
	}{
		"good":         {config.DefaultKind, &config.CarbonBlack{URL: "https://edr.example", Token: good}, ""},
		"no URL":       {config.DefaultKind, &config.CarbonBlack{Token: good}, "server hq: url is not set"},
		"no token":     {config.DefaultKind, &config.CarbonBlack{URL: "https://edr.example", Token: filepath.Join(dir, "none")}, "server hq: token_file"},
		"empty token":  {config.DefaultKind, &config.CarbonBlack{URL: "https://edr.example", Token: empty}, "is empty"},
		"no CA":        {config.DefaultKind, &config.CarbonBlack{URL: "https://edr.example", Token: good, CA: filepath.Join(dir, "none")}, "server hq: ca"},
		"unknown kind": {"carbon", nil, `server hq: "carbon" is no kind of server; there are carbonblack-cloud, carbonblack-edr`},
		"others' keys": {config.DefaultKind, nil, "server hq: its keys are of type <nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(config.Server{Name: "hq", Kind: tc.kind, Own: tc.own}, new(Shared), zerolog.Nop())
			switch {
			case tc.want == "" && (err != nil || s.Name() != "hq"):
				t.Errorf("server %v, %v", s, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
