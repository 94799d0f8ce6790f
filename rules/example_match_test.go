package rules_test

import (
	"fmt"
	"os"
	"path/filepath"

	"edrpipe/pkg/events"
	"edrpipe/rules"
)

func ExampleMatcher() {
	dir, err := os.MkdirTemp("", "rules")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "autoruns.yaml")
	err = os.WriteFile(file, []byte(`
rules:
  - id: autorun-value-written
    on: registry
    when: reg.action == "writeval" && icontains(reg.path, `+"`\\currentversion\\run\\`"+`)
    steps:
      - uses: get_registry_value
        with: { key: "${{ reg.path }}" }
`), 0o600)
	if err != nil {
		panic(err)
	}
	set, err := rules.Load(file)
	if err != nil {
		panic(err)
	}
	m := rules.NewMatcher(set, &events.Decoder{}, nil)
	found := m.Message(&events.Message{Body: []byte(`{"type": "ingress.event.regmod", "action": "writeval", "sensor_id": 42, "timestamp": 1725526401,
		"path": "\\registry\\machine\\software\\microsoft\\windows\\CurrentVersion\\Run\\upd"}`)})
	for _, match := range found.Matches {
		fmt.Println(match.Rule.ID, "wants to act on sensor", match.Endpoints[0].ID)
	}
	// Output: autorun-value-written wants to act on sensor 42
}
