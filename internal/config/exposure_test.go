package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExposure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("x"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask is
			t.Fatal(err)
		}
		return path
	}
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string // beginning of the one line; empty: none
	}{
		"defaults":             {func(*Config) {}, ""},
		"owner reads":          {func(c *Config) { c.EDR.Token = file("owner", 0o400) }, ""},
		"group reads":          {func(c *Config) { c.EDR.Token = file("group", 0o440) }, ""},
		"all read":             {func(c *Config) { c.EDR.Token = file("all", 0o644) }, "edr.token_file: "},
		"no such file":         {func(c *Config) { c.EDR.Token = filepath.Join(dir, "none") }, ""},
		"insecure":             {func(c *Config) { c.EDR.Insecure = true }, "edr.insecure: "},
		"all addresses":        {func(c *Config) { c.Web.Listen = "0.0.0.0:7480" }, "web.listen: "},
		"all addresses, IPv6":  {func(c *Config) { c.Web.Listen = "[::]:7480" }, "web.listen: "},
		"no address":           {func(c *Config) { c.Web.Listen = ":7480" }, "web.listen: "},
		"all, with TLS":        {func(c *Config) { c.Web.Listen, c.Web.Cert = "0.0.0.0:7480", "crt" }, ""},
		"loopback, IPv6":       {func(c *Config) { c.Web.Listen = "[::1]:7480" }, ""},
		"localhost":            {func(c *Config) { c.Web.Listen = "localhost:7480" }, ""},
		"off":                  {func(c *Config) { c.Web.Listen = "" }, ""},
		"insecure, of several": {func(c *Config) { c.Servers = []Server{server(t, "insecure")} }, "servers[0].insecure: "},
		"token of several":     {func(c *Config) { c.Servers = []Server{server(t, ""), server(t, file("several", 0o644))} }, "servers[1].token_file: "},
		"bus":                  {func(c *Config) { c.Bus.Listen = "0.0.0.0:4222" }, "bus.listen: "},
	} {
		c := Default()
		tc.change(&c)
		switch got := c.Exposure(); {
		case tc.want == "" && len(got) != 0, tc.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], tc.want)):
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// server is an entry of servers: insecure, or with a token file.
func server(t *testing.T, what string) Server {
	t.Helper()
	s := defaultServer()
	own := &CarbonBlack{}
	if what == "insecure" {
		own.Insecure = true
	} else {
		own.Token = what
	}
	s.Own = own
	return s
}
