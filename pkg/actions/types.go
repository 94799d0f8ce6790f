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

// MD5 is the MD5 of a file in lower-case hex: the key by which Carbon Black EDR
// bans binaries.
type MD5 string

// UnmarshalText reads 32 hex digits, or nothing: not every event has each digest.
func (m *MD5) UnmarshalText(b []byte) error {
	s := strings.ToLower(string(b))
	if raw, err := hex.DecodeString(s); err != nil || len(raw) != 16 && len(raw) != 0 {
		return fmt.Errorf("%q is not an MD5: want 32 hex digits", shorten(s))
	}
	*m = MD5(s)
	return nil
}

// SHA256 is a digest in lower case, or empty.
type SHA256 string

// UnmarshalText reads 64 hex digits, or nothing: not every event has each digest.
func (h *SHA256) UnmarshalText(b []byte) error {
	s := strings.ToLower(string(b))
	if raw, err := hex.DecodeString(s); err != nil || len(raw) != 32 && len(raw) != 0 {
		return fmt.Errorf("%q is not a SHA-256: want 64 hex digits", shorten(s))
	}
	*h = SHA256(s)
	return nil
}

// MarshalText writes the digest.
func (h SHA256) MarshalText() ([]byte, error) { return []byte(h), nil }

// MarshalText writes the digest.
func (m MD5) MarshalText() ([]byte, error) { return []byte(m), nil }
