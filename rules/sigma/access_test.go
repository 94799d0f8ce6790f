package sigma

import (
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// A comparison of digits must find what a comparison of Sysmon's text would.
func TestAccessDigits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.SampledFrom([]string{"endswith", "contains", "startswith"}).Draw(t, "op")
		value := rapid.StringMatching(`[0-9a-fA-F]{1,8}`).Draw(t, "digits")
		if op == "startswith" || rapid.IntRange(0, 4).Draw(t, "prefix") == 0 {
			value = "0x" + value
		}
		access := rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(0, 0x1ffff)).Draw(t, "access")
		if rapid.Bool().Draw(t, "near") { // the same digits, with others around them
			near := rapid.StringMatching(`[0-9a-f]{0,2}`).Draw(t, "before") + strings.TrimPrefix(value, "0x") + rapid.StringMatching(`[0-9a-f]{0,2}`).Draw(t, "after")
			if _, err := fmt.Sscanf(near[max(0, len(near)-8):], "%x", &access); err != nil {
				t.Fatal(err)
			}
		}
		c := &comparison{name: "GrantedAccess", field: field{kind: accessField}, op: op}
		condition, err := c.access("target.access", &yaml.Node{Kind: yaml.ScalarNode, Value: value})
		if err != nil {
			if value == "0" && op == "contains" || strings.HasPrefix(value, "0x0") && len(value) > 3 {
				return // always true, never true: refused
			}
			t.Fatalf("%s %s: %v", op, value, err)
		}
		program, err := expression.EventScope().Condition(condition)
		if err != nil {
			t.Fatalf("%s: %v", condition, err)
		}
		e := &events.Event{}
		e.Target.Access = int64(access)
		got, err := program.Bool(e)
		text, value := fmt.Sprintf("0x%x", access), strings.ToLower(value)
		want := map[string]bool{
			"endswith": strings.HasSuffix(text, value), "contains": strings.Contains(text, value), "startswith": strings.HasPrefix(text, value),
		}[op]
		if err != nil || got != want {
			t.Fatalf("%s|%s %q: %s = %v, %v; want %v", text, op, value, condition, got, err, want)
		}
	})
}
