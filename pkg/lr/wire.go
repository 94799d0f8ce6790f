package lr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Servers write one field as a number in one version and as a string in the
// next. These types read both, and null as zero.

// number is an integer.
type number int64

func (n *number) UnmarshalJSON(b []byte) error {
	s, err := scalar(b)
	if err != nil || s == "" {
		return err
	}
	s = strings.TrimSpace(s)
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		*n = number(v)
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) >= 1<<63 {
		return fmt.Errorf("%.40q is not a number", s)
	}
	*n = number(f)
	return nil
}

// text is a string.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	s, err := scalar(b)
	*t = text(s)
	return err
}

// flag is a boolean.
type flag bool

func (f *flag) UnmarshalJSON(b []byte) error {
	s, err := scalar(b)
	if err != nil {
		return err
	}
	switch strings.ToLower(s) {
	case "", "0", "false", "no":
		*f = false
	case "1", "true", "yes":
		*f = true
	default:
		return fmt.Errorf("%.40q is not a boolean", s)
	}
	return nil
}

// moment is a time: epoch seconds with or without a fraction in Live Response,
// text in the server's zone in sensors.
type moment struct{ time.Time }

// sensorTime is how sensors' times are written; Go accepts a fraction after the
// seconds on its own.
const sensorTime = "2006-01-02 15:04:05Z07:00"

func (m *moment) UnmarshalJSON(b []byte) error {
	s, err := scalar(b)
	if err != nil || s == "" {
		return err
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		if math.IsNaN(f) || math.Abs(f) > 1e12 {
			return fmt.Errorf("%.40q is not a time", s)
		}
		if f != 0 {
			sec, frac := math.Modf(f)
			m.Time = time.Unix(int64(sec), int64(math.Round(frac*1e6))*1000).UTC()
		}
		return nil
	}
	for _, layout := range []string{sensorTime, "2006-01-02 15:04:05", time.RFC3339, time.RFC1123} {
		if t, err := time.Parse(layout, s); err == nil {
			m.Time = t.UTC()
			return nil
		}
	}
	return fmt.Errorf("%.40q is not a time", s)
}

// list is an array whose place may be taken by null or an empty string.
type list[T any] []T

func (l *list[T]) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] != '[' {
		s, err := scalar(b)
		if err == nil && s != "" {
			err = fmt.Errorf("%.40q is not a list", s)
		}
		return err
	}
	return json.Unmarshal(b, (*[]T)(l))
}

// scalar returns a JSON scalar as text: null as "", a string without quotes and
// outer white space kept, anything else as written.
func scalar(b []byte) (string, error) {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0 || bytes.Equal(b, []byte("null")):
		return "", nil
	case b[0] == '"':
		var s string
		err := json.Unmarshal(b, &s)
		return s, err
	case b[0] == '{' || b[0] == '[':
		return "", fmt.Errorf("got a JSON %c, want one value", b[0])
	}
	return string(b), nil
}
