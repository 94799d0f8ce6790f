package listsource

import (
	"strings"
	"testing"
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

// FuzzPattern: no text of a publisher makes reading panic or go on without end.
func FuzzPattern(f *testing.F) {
	f.Add("[domain-name:value IN ('a','b')] OR [file:hashes.MD5 = 'x']")
	f.Fuzz(func(t *testing.T, pattern string) {
		if values, ok := patternValues(pattern); !ok && values != nil {
			t.Fatal(values)
		}
	})
}
