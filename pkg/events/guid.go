package events

import (
	"fmt"
	"strconv"
	"time"
)

// guidLength is the length of a process GUID without a segment.
const guidLength = 36

// GUID is the content of a Carbon Black EDR process GUID.
type GUID struct {
	Sensor int
	PID    int
	Start  time.Time // zero when the start time is unknown
}

// FormatGUID writes a process GUID from a sensor, a process id and the
// process's start as a Windows FILETIME (100 ns since 1601). Without a sensor,
// or with neither pid nor start, there is no GUID, and it returns "".
func FormatGUID(sensor int, pid uint32, start uint64) string {
	if sensor <= 0 || pid == 0 && start == 0 {
		return ""
	}
	return string(appendGUID(make([]byte, 0, guidLength), sensor, pid, start))
}

func appendGUID(b []byte, sensor int, pid uint32, start uint64) []byte {
	b = appendHex(b, uint64(uint32(sensor)), 8)
	b = append(b, '-')
	b = appendHex(b, uint64(pid>>16), 4)
	b = append(b, '-')
	b = appendHex(b, uint64(pid&0xffff), 4)
	b = append(b, '-')
	b = appendHex(b, start>>48, 4)
	b = append(b, '-')
	return appendHex(b, start&0xffff_ffff_ffff, 12)
}

func appendHex(b []byte, n uint64, digits int) []byte {
	const hexDigits = "0123456789abcdef"
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, hexDigits[n>>shift&15])
	}
	return b
}

// ParseGUID reads a process GUID, with or without the segment that unique_id
// fields append to it ("-" and 8 or 12 hex digits).
func ParseGUID(s string) (GUID, error) {
	guid, _, ok := splitGUID(s)
	if !ok {
		return GUID{}, fmt.Errorf("%q is not a process GUID", clip(s, 60))
	}
	hexOf := func(from, to int) uint64 {
		n, _ := strconv.ParseUint(guid[from:to], 16, 64) // splitGUID has checked the digits
		return n
	}
	return GUID{
		Sensor: int(hexOf(0, 8)),
		PID:    int(hexOf(9, 13)<<16 | hexOf(14, 18)),
		Start:  filetime(hexOf(19, 23)<<48 | hexOf(24, 36)),
	}, nil
}

// isGUID reports whether s is a GUID of Carbon Black EDR.
func isGUID(s string) bool {
	_, _, ok := splitGUID(s)
	return ok
}

// splitGUID separates a GUID from its segment (0 without one) and checks its form. A
// GUID with neither process nor time, which the forwarder writes if it has neither, is
// not valid.
func splitGUID(s string) (guid string, segment int64, ok bool) {
	switch len(s) {
	case guidLength:
	case guidLength + 9, guidLength + 13:
		if s[guidLength] != '-' {
			return "", 0, false
		}
		n, err := strconv.ParseUint(s[guidLength+1:], 16, 64)
		if err != nil {
			return "", 0, false
		}
		segment = int64(n)
	default:
		return "", 0, false
	}
	guid = s[:guidLength]
	for i := range guidLength {
		switch i {
		case 8, 13, 18, 23:
			if guid[i] != '-' {
				return "", 0, false
			}
		default:
			if !isLowerHex(guid[i]) {
				return "", 0, false
			}
		}
	}
	if guid[9:] == "0000-0000-0000-000000000000" {
		return "", 0, false
	}
	return guid, segment, true
}

// clip shortens text for an error message.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
