package listsource

import (
	"encoding/json"
	"fmt"
	"time"

	"edrpipe/rules/list"
)

// bundle is the part of a STIX 2.1 bundle that lists take.
type bundle struct {
	Type    string `json:"type"`
	Objects []struct {
		Type        string    `json:"type"`
		Pattern     string    `json:"pattern"`
		PatternType string    `json:"pattern_type"`
		From        time.Time `json:"valid_from"`
		Until       time.Time `json:"valid_until"`
		Revoked     bool      `json:"revoked"`
	} `json:"objects"`
}

// readSTIX takes the values of indicators that fit the kind of the list, with the time in
// which they are valid. It returns how many indicators have a pattern that no list can
// stand for, such as two conditions that must both hold.
func readSTIX(kind list.Kind, data []byte) (entries []Entry, left int, err error) {
	var b bundle
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, 0, fmt.Errorf("it is no STIX bundle: %w", err)
	}
	if b.Type != "bundle" {
		return nil, 0, fmt.Errorf("it is no STIX bundle: its type is %q", b.Type)
	}
	for _, o := range b.Objects {
		if o.Type != "indicator" || o.Revoked {
			continue
		}
		values, ok := patternValues(o.Pattern)
		if !ok || o.PatternType != "stix" && o.PatternType != "" {
			left++
			continue
		}
		for _, v := range values {
			if normal, reason := list.Elsewhere(kind, v.text); reason == "" && v.kind == kind {
				entries = append(entries, Entry{Value: normal, From: o.From, Until: o.Until})
			}
		}
	}
	return entries, left, nil
}
