package config_test

import (
	"strings"
	"testing"

	"edrpipe/internal/config"
)

func TestOutputs(t *testing.T) {
	t.Parallel()
	c, _, err := config.Load(write(t, `
outputs:
  - { name: siem, kind: http, url: "https://collector.example/x", token_file: t }
  - { name: local, kind: syslog, address: "127.0.0.1:514", format: ocsf, only: [results] }
  - { name: six, kind: http, url: "http://[::1]:8080/x" }
`), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o := c.Outputs[0]; o.Format != "cloudevents" || len(o.Only) != 2 {
		t.Errorf("defaults: %+v", o)
	}
	for text, want := range map[string]string{
		`{ kind: http, url: "https://x" }`:                                            "name",
		`{ name: a, kind: http }`:                                                     "outputs[0].url (from",
		`{ name: a, kind: file, path: p, url: "https://x" }`:                          "has no such key",
		`{ name: a, kind: kafka }`:                                                    "kafka",
		`{ name: a, kind: file, path: p, only: [result] }`:                            `"result" is none of`,
		`{ name: a, kind: http, url: "http://collector.example" }`:                    "clear text",
		`{ name: a, kind: http, url: "http://127.0.0.1.evil.example/" }`:              "clear text",
		`{ name: a, kind: http, url: "http://localhost.evil.example/" }`:              "clear text",
		`{ name: a, kind: syslog, address: "collector.example:514" }`:                 "tls: true",
		`{ name: a, kind: s3, endpoint: "https://x", bucket: b, access_key_file: k }`: "belong together",
		`{ name: a, kind: file, path: p }, { name: a, kind: file, path: q }`:          "name of another output",
		`{ name: a, kind: file, path: p, format: cef }`:                               "cef",
	} {
		_, _, err := config.Load(write(t, "outputs: ["+text+"]\n"), nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
