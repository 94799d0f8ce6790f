package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEgress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // part of the error; empty: none
		"egress: {hosts: [hooks.slack.com, '*.example.com', 192.0.2.1], networks: [10.1.0.0/16, 10.2.0.1, 'fd00::/8']}": "",
		"egress: {hosts: ['https://x.example']}":                   "egress.hosts (from FILE:1): \"https://x.example\" is no host",
		"egress: {hosts: ['*']}":                                   "is no host",
		"egress: {hosts: ['x.example:443']}":                       "is no host",
		"egress: {networks: [10.1.0.0]}":                           "",
		"egress: {networks: [corp]}":                               "\"corp\" is no network",
		"egress: {proxy: 'http://proxy:3128'}":                     "needs egress.hosts",
		"egress: {proxy: 'proxy:3128', hosts: [x.example]}":        "is not of the form http://host:3128",
		"egress: {proxy: 'http://proxy:3128', hosts: [x.example]}": "",
		"secrets: {slack: {hosts: [hooks.slack.com]}}":             "",
		"secrets: {slack: {}}":                                     "secrets.slack (from FILE:1): names no hosts",
		"secrets: {slack: {hosts: ['a/b']}}":                       "secrets.slack.hosts (from FILE:1): \"a/b\" is no host",
		"secrets: {slack: {host: [a]}}":                            "unknown key",
	} {
		file := filepath.Join(t.TempDir(), "pipeline.yaml")
		if err := os.WriteFile(file, []byte(text+"\nedr: {url: 'https://edr.example'}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, origins, err := Load(file, nil, nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(want, "FILE", file))) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil || !strings.Contains(text, "slack:") {
			continue
		}
		var printed strings.Builder
		if err := Print(&printed, c, origins); err != nil || !strings.Contains(printed.String(), `slack: {hosts: ["hooks.slack.com"]}`) {
			t.Errorf("printed as %s, %v", printed.String(), err)
		}
	}
}
