package cbc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// Fields whose type differs between replies.
type (
	number      = liveresponse.Number
	text        = liveresponse.Text
	flag        = liveresponse.Flag
	list[T any] = liveresponse.List[T]
)

// moment is a time: RFC 3339 nearly everywhere, a number in Live Response.
type moment struct{ time.Time }

func (m *moment) UnmarshalJSON(b []byte) error {
	s, err := liveresponse.Scalar(b)
	if err != nil || s == "" {
		return err
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		m.Time, err = timeOf(f)
		return err
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			m.Time = t.UTC()
			return nil
		}
	}
	return fmt.Errorf("%.40q is not a time", s)
}

// timeOf reads a number without a unit by its size: 100 ns since 1601, a thousandth
// of that precision, milliseconds or seconds.
func timeOf(f float64) (time.Time, error) {
	const from1601To1970 = 11644473600
	switch {
	case math.IsNaN(f) || f < 0 || f > 9e18:
		return time.Time{}, fmt.Errorf("%v is not a time", f)
	case f == 0:
		return time.Time{}, nil
	case f >= 1e17:
		return time.Unix(int64(f)/1e7-from1601To1970, int64(f)%1e7*100).UTC(), nil
	case f >= 1e14:
		return time.Unix(int64(f)/1e4-from1601To1970, int64(f)%1e4*1e5).UTC(), nil
	case f >= 1e11:
		return time.UnixMilli(int64(f)).UTC(), nil
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC(), nil
}

// wrapped is a list that is sent as an array or within an object.
type wrapped[T any] []T

func (w *wrapped[T]) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) == 0 || b[0] != '{' {
		var l list[T]
		err := json.Unmarshal(b, &l)
		*w = wrapped[T](l)
		return err
	}
	var in struct {
		Results  list[T] `json:"results"`
		Sessions list[T] `json:"sessions"`
		Commands list[T] `json:"commands"`
	}
	err := json.Unmarshal(b, &in)
	*w = wrapped[T](append(append(in.Results, in.Sessions...), in.Commands...))
	return err
}

// first is the first text that is not empty.
func first(all ...text) string {
	for _, t := range all {
		if t != "" {
			return string(t)
		}
	}
	return ""
}

// hostOf is a device's name without its domain.
func hostOf(name string) string { return name[strings.LastIndexByte(name, '\\')+1:] }

func osOf(s string) edr.OS {
	switch strings.ToUpper(s) {
	case "WINDOWS":
		return edr.Windows
	case "MAC", "MACOS", "OSX":
		return edr.MacOS
	case "LINUX":
		return edr.Linux
	}
	return edr.OS(strings.ToLower(s))
}
