package actions

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"edrpipe/pkg/strictyaml"
)

// Duration is a span of time that rules write as 90s, 15m, 4h or 7d. It is text
// in JSON, so that a recorded parameter decodes to what it was.
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(b []byte) error {
	span, err := strictyaml.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%w: write 90s, 15m, 4h or 7d", err)
	}
	*d = Duration(span)
	return nil
}

// MarshalText writes the duration as rules do.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// RemotePath is the path of one file, directory or process on an endpoint. It
// holds no pattern: an action on one file never becomes one on many.
type RemotePath string

// UnmarshalText takes a path as events and rules have it.
func (p *RemotePath) UnmarshalText(b []byte) error {
	s := string(b)
	switch {
	case s == "":
		return fmt.Errorf("the path is empty")
	case strings.ContainsAny(s, "*?") && !strings.HasPrefix(s, `\\?\`) && !strings.HasPrefix(s, "/"):
		return fmt.Errorf("%q is a pattern, not the path of one file: collect takes patterns", shorten(s))
	case strings.HasPrefix(s, `\\.\`):
		return fmt.Errorf("%q is a device, not a file", shorten(s))
	case strings.ContainsAny(s, "\r\n") && !strings.HasPrefix(s, "/"):
		return fmt.Errorf("%q contains a line break", shorten(s))
	}
	*p = RemotePath(s)
	return nil
}

// MarshalText writes the path.
func (p RemotePath) MarshalText() ([]byte, error) { return []byte(p), nil }

// MD5 is the MD5 of a file in lower-case hex: the key by which Carbon Black EDR
// bans binaries.
type MD5 string

// UnmarshalText reads 32 hex digits.
func (m *MD5) UnmarshalText(b []byte) error {
	s := strings.ToLower(string(b))
	if raw, err := hex.DecodeString(s); err != nil || len(raw) != 16 {
		return fmt.Errorf("%q is not an MD5: want 32 hex digits", shorten(s))
	}
	*m = MD5(s)
	return nil
}

// MarshalText writes the digest.
func (m MD5) MarshalText() ([]byte, error) { return []byte(m), nil }
