package web

import (
	"errors"
	"fmt"
	"time"
)

// DeadQuery selects dead letters.
type DeadQuery struct {
	Reason string
	Before uint64 // those with a smaller number; 0: all
	Limit  int
}

// DeadPage is the newest dead letters that a query selects, newest first.
type DeadPage struct {
	Total   int            `json:"total" jsonschema:"description=dead letters that were selected"`
	Reasons map[string]int `json:"reasons" jsonschema:"description=how many there are of each reason"`
	Letters []DeadLetter   `json:"letters"`
}

// DeadLetter is input that could not be used.
type DeadLetter struct {
	Sequence    uint64            `json:"seq"`
	Time        time.Time         `json:"time"`
	Reason      string            `json:"reason"`
	Error       string            `json:"error,omitempty"`
	Origin      string            `json:"origin,omitempty" jsonschema:"description=transport by which it came\\, and its server"`
	Bytes       int               `json:"bytes"`
	Cut         bool              `json:"cut,omitempty" jsonschema:"description=only its beginning was kept: it cannot be put back"`
	Exchange    string            `json:"exchange,omitempty"`
	RoutingKey  string            `json:"routing_key,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Body        []byte            `json:"body_b64,omitempty" jsonschema:"description=not in lists"`
}

// DeadChoice says which dead letters: some by number, those of a reason, or all.
type DeadChoice struct {
	Sequences []uint64 `json:"sequences,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	All       bool     `json:"all,omitempty"`
	Why       string   `json:"why,omitempty"`
}

// Check returns the choice in words. Exactly one way of choosing is right; numbers says
// whether one may choose by number.
func (d DeadChoice) Check(numbers bool) (string, error) {
	ways, text := 0, "all"
	if d.All {
		ways++
	}
	if d.Reason != "" {
		ways, text = ways+1, "of reason "+d.Reason
	}
	if len(d.Sequences) > 0 {
		ways, text = ways+1, fmt.Sprint(d.Sequences)
	}
	switch {
	case len(d.Sequences) > 0 && !numbers:
		return "", errors.New("they are removed by reason, or all")
	case ways != 1:
		return "", errors.New("choose by exactly one of sequences, reason and all")
	}
	return text, nil
}

// DeadDone says what became of dead letters.
type DeadDone struct {
	Done   int      `json:"done"`
	Failed []string `json:"failed,omitempty" jsonschema:"description=why some were not put back"`
}
