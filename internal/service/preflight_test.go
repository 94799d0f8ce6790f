package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
)

// TestPreflightFirst: what `config check` refuses, a start refuses too, with the same
// words and before it has made anything.
func TestPreflightFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(c *config.Config){
		"guards":  func(c *config.Config) { c.Guards = filepath.Join(dir, "none") },
		"rules":   func(c *config.Config) { c.Rules = []string{filepath.Join(dir, "none")} },
		"creds":   func(c *config.Config) { c.Bus.URL, c.Bus.Creds = "nats://127.0.0.1:1", token },
		"users":   func(c *config.Config) { c.Web.Users = token },
		"the EDR": func(c *config.Config) { c.EDR.Token = filepath.Join(dir, "none") },
	} {
		c := config.Default()
		c.Data, c.EDR.URL, c.EDR.Token = filepath.Join(dir, name), "http://127.0.0.1:1", token
		c.Rules = nil
		change(&c)
		want := Preflight(c)
		s, err := Open(t.Context(), c, "test", zerolog.Nop())
		if err == nil {
			t.Fatalf("%s: it started: %v", name, s.Close())
		}
		if want == nil || !strings.Contains(err.Error(), want.Error()) {
			t.Errorf("%s: the start says %v, the check %v", name, err, want)
		}
		if _, err := os.Stat(c.Data); err == nil {
			t.Errorf("%s: there is a data directory", name)
		}
	}
}
