package strictyaml

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// DurationPattern is the form of durations, for schemas.
const DurationPattern = `^(0|([0-9]+(\.[0-9]+)?(w|d|h|ms|us|ns|m|s))+)$`

var (
	spanForm = regexp.MustCompile(DurationPattern)
	spanPart = regexp.MustCompile(`(\d+(?:\.\d+)?)(w|d|h|ms|us|ns|m|s)`)
)

var spanUnits = map[string]time.Duration{
	"w": 7 * 24 * time.Hour, "d": 24 * time.Hour, "h": time.Hour, "m": time.Minute,
	"s": time.Second, "ms": time.Millisecond, "us": time.Microsecond, "ns": time.Nanosecond,
}

// ParseDuration reads a duration as people write it: time.ParseDuration's form
// with d for 24 hours and w for 7 days, never negative. 0 needs no unit.
func ParseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if !spanForm.MatchString(s) {
		return 0, fmt.Errorf("%q is not a duration", s)
	}
	var total float64
	for _, part := range spanPart.FindAllStringSubmatch(s, -1) {
		number, err := strconv.ParseFloat(part[1], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration", s)
		}
		total += number * float64(spanUnits[part[2]])
	}
	if total > math.MaxInt64/2 {
		return 0, errors.New("the duration is too long")
	}
	return time.Duration(math.Round(total)), nil
}
