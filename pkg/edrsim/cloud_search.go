package edrsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// queryTerms are the field:value pairs of a query, all of which must match.
type queryTerms []struct{ field, pattern string }

var queryTerm = regexp.MustCompile(`^([A-Za-z_]+):("[^"]*"|[^\s"()]+)`)

// parseQuery reads field:value terms joined by blanks or AND. Anything else of the
// real server's query language is refused in its words.
func parseQuery(q string, fields ...string) (queryTerms, error) {
	var terms queryTerms
	for rest := strings.TrimSpace(q); rest != "" && rest != "*:*" && rest != "*"; rest = strings.TrimSpace(rest) {
		if len(terms) > 0 {
			rest = strings.TrimPrefix(rest, "AND ")
		}
		m := queryTerm.FindStringSubmatch(rest)
		if m == nil || !slices.Contains(fields, m[1]) {
			return nil, &cloudError{http.StatusBadRequest, "BAD_QUERY", "The query cannot be understood", object{"reason": "query_malformed_syntax"}}
		}
		terms = append(terms, struct{ field, pattern string }{m[1], strings.ToLower(strings.Trim(m[2], `"`))})
		rest = rest[len(m[0]):]
	}
	return terms, nil
}

// match reports whether an object meets all terms, case ignored. A name with a
// domain is also known by what follows it.
func (t queryTerms) match(o object) bool {
	for _, term := range t {
		value := strings.ToLower(fmt.Sprint(o[term.field]))
		_, host, _ := strings.Cut(value, `\`)
		if !wildcardMatch(term.pattern, value) && (host == "" || !wildcardMatch(term.pattern, host)) {
			return false
		}
	}
	return true
}

// inTimeRange reports whether a time is in {"start","end"} or {"range":"-30m"}.
func inTimeRange(value string, raw json.RawMessage, now time.Time) (bool, error) {
	var span struct {
		Start string `json:"start"`
		End   string `json:"end"`
		Range string `json:"range"`
	}
	if err := json.Unmarshal(raw, &span); err != nil {
		return false, invalid("time range: %v", err)
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return false, nil // an object without the time is in no range
	}
	if span.Range != "" {
		d, err := spanOf(span.Range)
		return err == nil && !at.Before(now.Add(-d)) && !at.After(now), err
	}
	for text, outside := range map[string]func(time.Time) bool{span.Start: at.Before, span.End: at.After} {
		if text == "" {
			continue
		}
		limit, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return false, invalid("time range: %q is no time", text)
		}
		if outside(limit) {
			return false, nil
		}
	}
	return true, nil
}

// spanOf reads a range such as -30m.
func spanOf(s string) (time.Duration, error) {
	const day = 24 * time.Hour
	units := map[byte]time.Duration{'y': 365 * day, 'M': 30 * day, 'w': 7 * day, 'd': day, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	if len(s) >= 3 && s[0] == '-' {
		n, err := strconv.Atoi(s[1 : len(s)-1])
		if unit := units[s[len(s)-1]]; err == nil && unit > 0 {
			return time.Duration(n) * unit, nil
		}
	}
	return 0, invalid("time range: %q is not of the form -30m", s)
}

// sortObjects orders by the fields of a request; the first known one is the default.
func sortObjects(list []object, order []searchSort, known ...string) error {
	for _, o := range order {
		if !slices.Contains(known, o.Field) {
			return notOneOf("sort[0].field", o.Field, known...)
		}
	}
	slices.SortStableFunc(list, func(a, b object) int {
		for _, o := range order {
			c := compareValues(a[o.Field], b[o.Field])
			if strings.EqualFold(o.Order, "DESC") {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return nil
}

func compareValues(a, b any) int {
	x, isInt := a.(int)
	y, bothInt := b.(int)
	if isInt && bothInt {
		return x - y
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}
