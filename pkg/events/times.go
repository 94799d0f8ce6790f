package events

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// filetimeEpoch is 1970 as a Windows FILETIME: 100 ns steps since 1601.
const filetimeEpoch = 116_444_736_000_000_000

// filetime converts a FILETIME. What lies before 1970 (0 is "unknown") or can
// not be counted in int64 nanoseconds gives the zero time.
func filetime(ft uint64) time.Time {
	const most = filetimeEpoch + uint64(1<<63-1)/100
	if ft <= filetimeEpoch || ft > most {
		return time.Time{}
	}
	return time.Unix(0, int64(ft-filetimeEpoch)*100).UTC()
}

// earliest is the oldest time that is believed: no EDR sensor is older.
var earliest = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)

// believable reports whether t is plausible as an endpoint's time at now.
func believable(t, now time.Time) bool {
	return !t.Before(earliest) && !t.After(now.Add(24*time.Hour))
}

// parseTime parses a time in any form that occurs: a number, with the unit inferred from
// its size, or one of the layouts.
func parseTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, false
	}
	if len(s) < 5 || s[4] != '-' { // not a date: those are the most
		if t, ok := parseNumber(s); ok {
			return t, true
		}
	}
	if len(s) < len("2006-01-02") || len(s) > 64 {
		return time.Time{}, false
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// timeLayouts are the text forms of time: RFC 3339, also with a blank in place of the
// T as the server writes it, Go's own, which Carbon Black Cloud writes, ISO 8601 in
// short, and those of HTTP and mail. Without a zone it is UTC.
var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02 15:04:05.999999999 -0700 MST",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999Z0700",
	"20060102T150405Z0700",
	time.RFC1123,
	time.RFC1123Z,
	time.RFC850,
	time.ANSIC,
}

// parseNumber parses a numeric time. Its size determines the unit: for times from 1990
// to 2100 the ranges of seconds, milliseconds, microseconds, FILETIME steps and
// nanoseconds are disjoint. A fraction keeps its digits: float64 lacks the precision
// for nanoseconds.
func parseNumber(s string) (time.Time, bool) {
	if strings.ContainsAny(s, "eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f < 0 || f >= math.MaxInt64 {
			return time.Time{}, false
		}
		s = strconv.FormatFloat(f, 'f', -1, 64)
	}
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 || whole[0] == '+' || strings.Trim(fraction, "0123456789") != "" {
		return time.Time{}, false
	}
	const (
		milliseconds = 1e11
		microseconds = 1e14
		filetimes    = 1e17
		nanoseconds  = 2e17
	)
	switch {
	case n >= nanoseconds:
		return time.Unix(0, n).UTC(), true
	case n >= filetimes:
		return filetime(uint64(n)), true
	case n >= microseconds:
		return time.UnixMicro(n).Add(fractionOf(fraction, time.Microsecond)).UTC(), true
	case n >= milliseconds:
		return time.UnixMilli(n).Add(fractionOf(fraction, time.Millisecond)).UTC(), true
	}
	return time.Unix(n, int64(fractionOf(fraction, time.Second))).UTC(), true
}

// fractionOf converts decimal digits after the point to a part of the unit, to the nanosecond.
func fractionOf(digits string, unit time.Duration) time.Duration {
	var d time.Duration
	for i := 0; i < len(digits) && unit > 0; i++ {
		unit /= 10
		d += time.Duration(digits[i]-'0') * unit
	}
	return d
}
