package listsource

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/rules/list"
)

// TestPatternValues: a list takes the patterns that it means the same as, and no other.
func TestPatternValues(t *testing.T) {
	t.Parallel()
	sha := strings.Repeat("ab", 32)
	for pattern, want := range map[string]string{
		"[domain-name:value = 'bad.example']":                                       "domain bad.example",
		"[ domain-name:value='a.example' OR domain-name:value = 'b.example' ]":      "domain a.example, domain b.example",
		"[domain-name:value = 'a.example'] OR [ipv4-addr:value = '203.0.113.0/24']": "domain a.example, ip 203.0.113.0/24",
		"[file:hashes.'SHA-256' = '" + sha + "' OR file:hashes.MD5 = 'x']":          "hash " + sha + ", hash x",
		"[ipv6-addr:value IN ('2001:db8::1', '2001:db8::2')]":                       "ip 2001:db8::1, ip 2001:db8::2",
		`[domain-name:value = 'it\'s']`:                                             "domain it's",
		"[file:name = 'a.exe' OR domain-name:value = 'a.example']":                  "domain a.example",
		"[file:hashes.'SHA-1' = 'x']":                                               "",
	} {
		values, ok := patternValues(pattern)
		var got []string
		for _, v := range values {
			got = append(got, string(v.kind)+" "+v.text)
		}
		if text := strings.Join(got, ", "); !ok || text != want {
			t.Errorf("%s: %q, %v, want %q", pattern, text, ok, want)
		}
	}
	for _, pattern := range []string{
		"", "[", "[]", "domain-name:value = 'a'", "[domain-name:value = 'a]", "[domain-name:value != 'a']", "[domain-name:value LIKE 'a%']",
		"[domain-name:value NOT = 'a']", "[domain-name:value = 'a' AND ipv4-addr:value = '203.0.113.1']",
		"[domain-name:value = 'a'] AND [domain-name:value = 'b']", "[domain-name:value = 'a'] FOLLOWEDBY [domain-name:value = 'b']",
		"[domain-name:value = 'a'] REPEATS 5 TIMES", "[domain-name:value IN ('a' 'b')]", "([domain-name:value = 'a'])",
	} {
		if values, ok := patternValues(pattern); ok {
			t.Errorf("%s is taken as %v", pattern, values)
		}
	}
}

// TestSTIX: indicators in their time, of the kind of the list, which are not revoked.
func TestSTIX(t *testing.T) {
	t.Parallel()
	indicator := func(pattern, more string) string {
		return fmt.Sprintf(`{"type":"indicator","pattern_type":"stix","pattern":%q,"valid_from":"2026-01-01T00:00:00Z"%s}`, pattern, more)
	}
	text := `{"type":"bundle","objects":[` + strings.Join([]string{
		`{"type":"identity","name":"x"}`,
		indicator("[domain-name:value = 'Always.Example']", ""),
		indicator("[domain-name:value = 'ends.example']", `,"valid_until":"2026-02-01T00:00:00.000Z"`),
		indicator("[domain-name:value = 'ends.example']", `,"valid_until":"2026-01-02T00:00:00Z"`),
		indicator("[domain-name:value = 'revoked.example']", `,"revoked":true`),
		indicator("[ipv4-addr:value = '203.0.113.1']", ""),
		indicator("[domain-name:value = 'a.example' AND ipv4-addr:value = '203.0.113.1']", ""),
		strings.Replace(indicator("rule x {}", ""), `"stix"`, `"yara"`, 1),
	}, ",") + `]}`
	entries, left, err := readSTIX(list.Domain, []byte(text))
	if err != nil || left != 2 {
		t.Fatalf("%d left out, %v", left, err)
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
		if got := valid(entries, now); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("at %s: %v, want %s", at, got, want)
		}
	}
	for _, bad := range []string{"", "[]", `{"objects":[]}`, `{"type":"report"}`, text[:len(text)-3]} {
		if _, _, err := readSTIX(list.Domain, []byte(bad)); err == nil {
			t.Errorf("%.40q is taken", bad)
		}
	}
}

// FuzzPattern: no text of a publisher makes reading panic or go on without end.
func FuzzPattern(f *testing.F) {
	f.Add("[domain-name:value IN ('a','b')] OR [file:hashes.MD5 = 'x']")
	f.Fuzz(func(t *testing.T, pattern string) {
		if values, ok := patternValues(pattern); !ok && values != nil {
			t.Fatal(values)
		}
	})
}
