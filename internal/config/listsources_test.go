package config_test

import (
	"strings"
	"testing"
	"time"

	"edrpipe/internal/config"
)

func TestListSources(t *testing.T) {
	t.Parallel()
	c, origins, err := config.Load(write(t, `
list_sources:
  - { name: bad-domains, url: "https://lists.example/x" }
  - { name: local, url: "http://[::1]:8080/x", format: csv, column: 2, every: 15m, max_age: 7d }
`), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if l := c.ListSources[0]; l.Format != "text" || l.Every != time.Hour || l.MaxBytes != 8<<20 || l.Entries != 200_000 {
		t.Errorf("defaults: %+v", l)
	}
	if l := c.ListSources[1]; l.Column != "2" || l.MaxAge != 7*24*time.Hour {
		t.Errorf("second: %+v", l)
	}
	var b strings.Builder
	if err := config.Print(&b, c, origins); err != nil || !strings.Contains(b.String(), "list_sources:\n  - # ") {
		t.Errorf("printed: %v\n%s", err, b.String())
	}
	for text, want := range map[string]string{
		`{ name: a }`:                                                      "url",
		`{ url: "https://x/y" }`:                                           "name",
		`{ name: ../a, url: "https://x/y" }`:                               "no name of a list",
		`{ name: .a, url: "https://x/y" }`:                                 "no name of a list",
		`{ name: a, url: "http://lists.example/x" }`:                       "changed on its way",
		`{ name: a, url: "https://me:secret@lists.example/x" }`:            "token_file",
		`{ name: a, url: "https://x/y", checksum_url: "http://x/y" }`:      "list_sources[0].checksum_url (from",
		`{ name: a, url: "https://x/y", format: json }`:                    "json",
		`{ name: a, url: "https://x/y", column: 2 }`:                       "format: csv",
		`{ name: a, url: "https://x/y", every: 10s }`:                      "too often",
		`{ name: a, url: "https://x/y", max_age: 1h }`:                     "twice as long",
		`{ name: a, url: "https://x/y", max_bytes: 0 }`:                    "max_bytes",
		`{ name: a, url: "https://x/y", max_entries: 0 }`:                  "max_entries",
		`{ name: a, url: "https://x/y" }, { name: A, url: "https://x/z" }`: "another source",
		`{ name: a, url: "https://x/y", checksum: "https://x/z" }`:         "checksum_url",
	} {
		_, _, err := config.Load(write(t, "list_sources: ["+text+"]\n"), nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
