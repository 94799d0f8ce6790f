package liveresponse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Servers write one field as a number in one version and as a string in the
// next. These types read both, and null as zero.

// Number is an integer.
type Number int64

func (n *Number) UnmarshalJSON(b []byte) error {
	s, err := Scalar(b)
	if err != nil || s == "" {
		return err
	}
	s = strings.TrimSpace(s)
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		*n = Number(v)
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) >= 1<<63 {
		return fmt.Errorf("%.40q is not a number", s)
	}
	*n = Number(f)
	return nil
}

// Text is a string.
type Text string

func (t *Text) UnmarshalJSON(b []byte) error {
	s, err := Scalar(b)
	*t = Text(s)
	return err
}

// Flag is a boolean.
type Flag bool

func (f *Flag) UnmarshalJSON(b []byte) error {
	s, err := Scalar(b)
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

// List is an array whose place may be taken by null or an empty string.
type List[T any] []T

func (l *List[T]) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] != '[' {
		s, err := Scalar(b)
		if err == nil && s != "" {
			err = fmt.Errorf("%.40q is not a list", s)
		}
		return err
	}
	return json.Unmarshal(b, (*[]T)(l))
}

// Scalar returns a JSON scalar as text: null as "", a string without quotes and
// outer white space kept, anything else as written.
func Scalar(b []byte) (string, error) {
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

// Texts converts a list of texts.
func Texts(in List[Text]) []string {
	out := make([]string, len(in))
	for i, t := range in {
		out[i] = string(t)
	}
	return out
}
