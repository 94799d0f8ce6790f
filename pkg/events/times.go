package events

import (
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

// believable reports whether an endpoint's clock may have said t at now.
func believable(t, now time.Time) bool {
	return !t.Before(earliest) && !t.After(now.Add(24*time.Hour))
}

// parseSeconds reads Unix seconds with a decimal fraction. It does not go
// through float64, which has no room for the nanoseconds of our times.
func parseSeconds(s string) (time.Time, bool) {
	if strings.ContainsAny(s, "eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f < 0 || f > 1e12 {
			return time.Time{}, false
		}
		s = strconv.FormatFloat(f, 'f', -1, 64)
	}
	whole, fraction, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || sec < 0 || sec > 1e12 {
		return time.Time{}, false
	}
	var nanos int64
	for i := range 9 {
		nanos *= 10
		if i < len(fraction) {
			if c := fraction[i]; c < '0' || c > '9' {
				return time.Time{}, false
			}
			nanos += int64(fraction[i] - '0')
		}
	}
	return time.Unix(sec, nanos).UTC(), true
}

// goTimeLayout is time.Time's own text form, which Carbon Black Cloud writes.
const goTimeLayout = "2006-01-02 15:04:05.999999999 -0700 MST"

// parseTime reads the text forms of time that occur: RFC 3339, also with a blank
// in place of the T as the server writes it, with or without a zone (then UTC),
// Go's own, or Unix seconds.
func parseTime(s string) (time.Time, bool) {
	if len(s) < 10 {
		return time.Time{}, false
	}
	if s[4] != '-' {
		return parseSeconds(s)
	}
	for _, layout := range []string{time.RFC3339Nano, goTimeLayout, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
