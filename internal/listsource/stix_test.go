package listsource

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/rules/list"
)

func indicatorJSON(pattern, more string) string {
	return fmt.Sprintf(`{"type":"indicator","pattern_type":"stix","pattern":%q,"valid_from":"2026-01-01T00:00:00Z"%s}`, pattern, more)
}

// TestSTIX: indicators in their time, of the kind of the list, which are not revoked.
func TestSTIX(t *testing.T) {
	t.Parallel()
	text := `{"type":"bundle","objects":[` + strings.Join([]string{
		`{"type":"identity","name":"x"}`,
		`{"type":"x-rule","pattern":{"any":1},"valid_from":"yesterday","indicator_types":"x","revoked":0}`,
		indicatorJSON("[domain-name:value = 'Always.Example']", ""),
		indicatorJSON("[domain-name:value = 'ends.example']", `,"valid_until":"2026-02-01T00:00:00.000Z"`),
		indicatorJSON("[domain-name:value = 'ends.example']", `,"valid_until":"2026-01-02T00:00:00Z"`),
		indicatorJSON("[domain-name:value = 'revoked.example']", `,"revoked":true`),
		indicatorJSON("[ipv4-addr:value = '203.0.113.1']", ""),
		indicatorJSON("[domain-name:value = 'a.example' AND ipv4-addr:value = '203.0.113.1']", ""),
		indicatorJSON("[domain-name:value = 'good.example']", `,"indicator_types":["benign"]`),
		indicatorJSON("[domain-name:value = 'both.example']", `,"indicator_types":["anomalous-activity","benign"]`),
		strings.Replace(indicatorJSON("rule x {}", ""), `"stix"`, `"yara"`, 1),
	}, ",") + `]}`
	read, err := readSTIX(list.Domain, []byte(text))
	if err != nil || read.left != 4 || read.wrong != 0 {
		t.Fatalf("%+v, %v", read, err)
	}
	for at, want := range map[string]string{
		"2025-12-31T23:59:59Z": "",
		"2026-01-01T00:00:00Z": "always.example ends.example",
		"2026-01-31T23:59:59Z": "always.example ends.example",
		"2026-02-01T00:00:00Z": "always.example",
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := valid(read.entries, now); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("at %s: %v, want %s", at, got, want)
		}
	}
	for _, bad := range []string{"", "[]", `{"objects":[]}`, `{"type":"report"}`, text[:len(text)-3]} {
		if _, err := readSTIX(list.Domain, []byte(bad)); err == nil {
			t.Errorf("%.40q is taken", bad)
		}
	}
}

// TestSTIXOfWrongValues is refused like text with more than one in ten of them; fewer are
// left out and told.
func TestSTIXOfWrongValues(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.config(t, t.TempDir())
	c.Format, c.MaxBytes = STIX, 1<<20
	bundleOf := func(domains ...string) string {
		var all []string
		for _, d := range domains {
			all = append(all, indicatorJSON("[domain-name:value = '"+d+"']", ""), indicatorJSON("[ipv4-addr:value = '10.0.0.1']", ""))
		}
		return `{"type":"bundle","objects":[` + strings.Join(all, ",") + "]}"
	}
	var domains []string
	for i := range 9 {
		domains = append(domains, fmt.Sprintf("d%d.example", i))
	}
	source := open(c)
	s.answers(text(bundleOf(append(slices.Clone(domains), "com")...)))
	if err := source.refresh(t.Context()); err != nil || len(source.Values()) != 9 || !strings.Contains(source.State().Evidence, `1 left out ("com": below`) {
		t.Errorf("one in ten: %v, %+v", err, source.State())
	}
	s.answers(text(bundleOf(append(slices.Clone(domains), "com", "https://x.example/")...)))
	if err := source.refresh(t.Context()); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "2 of 11 values") {
		t.Errorf("two in eleven: %v", err)
	}
}
