package looseid_test

import (
	"encoding/json"
	"testing"

	"edrpipe/internal/looseid"
)

func TestID(t *testing.T) {
	for text, want := range map[string]looseid.ID{`42`: "42", `"42"`: "42", `"007"`: "007", `0`: "", `null`: "", `""`: "", `"a:b"`: "a:b"} {
		var got looseid.ID
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`1.5`, `1e3`, `true`, `{}`, `[1]`, `99999999999999999999`} {
		var got looseid.ID
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s was read as %q", text, got)
		}
	}
}
