package listsource

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"edrpipe/rules/list"
)

// bundle is the part of a STIX 2.1 bundle that lists take.
type bundle struct {
	Type    string            `json:"type"`
	Objects []json.RawMessage `json:"objects"`
}

// indicator is read of objects of that type only: others may have keys of the same names
// with other contents.
type indicator struct {
	Pattern     string    `json:"pattern"`
	PatternType string    `json:"pattern_type"`
	Types       []string  `json:"indicator_types"`
	From        time.Time `json:"valid_from"`
	Until       time.Time `json:"valid_until"`
	Revoked     bool      `json:"revoked"`
}

// taken is what a bundle has for a list.
type taken struct {
	entries  []Entry
	left     int    // indicators that are left out: benign ones, and patterns that no list can stand for
	why      string // the first of these was
	wrong    int    // values of the kind that the list cannot have
	whyWrong string // the first of these is
}

// readSTIX takes the values of indicators that fit the kind of the list, with the time in
// which they are valid.
func readSTIX(kind list.Kind, data []byte) (taken, error) {
	var b bundle
	if err := json.Unmarshal(data, &b); err != nil {
		return taken{}, fmt.Errorf("it is no STIX bundle: %w", err)
	}
	if b.Type != "bundle" {
		return taken{}, fmt.Errorf("it is no STIX bundle: its type is %q", b.Type)
	}
	var t taken
	for i, raw := range b.Objects {
		var head struct {
			Type string `json:"type"`
		}
		err := json.Unmarshal(raw, &head)
		if err == nil && head.Type == "indicator" {
			var o indicator
			if err = json.Unmarshal(raw, &o); err == nil {
				t.take(kind, o)
			}
		}
		if err != nil {
			return taken{}, fmt.Errorf("it is no STIX bundle: object %d: %w", i+1, err)
		}
	}
	return t, nil
}

// take adds the values of an indicator. One of what is benign says the opposite of what
// lists are for, also where it says other things, too.
func (t *taken) take(kind list.Kind, o indicator) {
	if o.Revoked {
		return
	}
	if slices.Contains(o.Types, "benign") {
		t.left++
		t.why = cmp.Or(t.why, "indicators of what is benign")
		return
	}
	values, ok := patternValues(o.Pattern)
	if !ok || o.PatternType != "stix" && o.PatternType != "" {
		t.left++
		t.why = cmp.Or(t.why, "patterns that are more than one of several values")
		return
	}
	for _, v := range values {
		if v.kind != kind {
			continue
		}
		normal, reason := list.Elsewhere(kind, v.text)
		if reason != "" {
			t.wrong++
			t.whyWrong = cmp.Or(t.whyWrong, fmt.Sprintf("%.100q: %s", v.text, reason))
			continue
		}
		t.entries = append(t.entries, Entry{Value: normal, From: o.From, Until: o.Until})
	}
}
