package service

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
)

// TestEveryCheckHasASection in docs/health.md, with something to do, and every section a
// check: of a service that has all of them.
func TestEveryCheckHasASection(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	p.write("endpoints.yaml", "endpoints: []\n")
	p.write("guards.yaml", "breaker: { jobs: 3, per: 10m }\n")
	p.write("pipeline.yaml", p.read("pipeline.yaml")+"\nguards: "+p.dir+"/guards.yaml\nendpoints: "+p.dir+"/endpoints.yaml\noutputs: [ { name: siem, kind: file, path: "+p.dir+"/out.ndjson } ]\n")
	p.write("pipeline.yaml", strings.Replace(p.read("pipeline.yaml"), "sources: {", "sources: { amqp: { url: \"amqp://cb@127.0.0.1:1/\" }, ", 1))
	r := p.run()
	r.publish(strings.Replace(start(1, 1), `"cb_server":"sim"`, `"cb_server":"another"`, 1))
	var have []string
	await(t, time.Minute, "the check of other servers", func() bool {
		have = nil
		for _, c := range r.health(t.Context()) {
			name, _, _ := strings.Cut(c.Name, "/")
			have = append(have, name)
		}
		return slices.Contains(have, "other_server")
	})
	text, err := os.ReadFile("../../docs/health.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		told = append(told, name)
		if len(strings.TrimSpace(body)) < 60 {
			t.Errorf("section %s says too little: %q", name, body)
		}
	}
	slices.Sort(have)
	slices.Sort(told)
	if have, told = slices.Compact(have), slices.Compact(told); !slices.Equal(have, told) {
		t.Errorf("checks:   %v\nsections: %v", have, told)
	}
}
