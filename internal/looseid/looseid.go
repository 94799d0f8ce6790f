// Package looseid reads ids of sensors and sessions where they may still be numbers:
// in records from before ids were text, in requests and in test events.
package looseid

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// ID is such an id. It is written as text.
type ID string

// UnmarshalJSON takes text, or a whole number as its text. 0 and null are empty:
// records of before wrote 0 for no sensor.
func (id *ID) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*id = ""
		return nil
	}
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(id))
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	switch {
	case err != nil:
		return fmt.Errorf("%.40s is no id: want text, or a whole number", b)
	case n == 0:
		*id = ""
	default:
		*id = ID(strconv.FormatInt(n, 10))
	}
	return nil
}

// Texts returns ids as text, leaving out empty ones.
func Texts(ids []ID) []string {
	texts := make([]string, 0, len(ids))
	for _, id := range ids {
		if id != "" {
			texts = append(texts, string(id))
		}
	}
	return texts
}
