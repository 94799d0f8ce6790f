package lr

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"edrpipe/pkg/liveresponse"
)

// Fields whose type differs between versions of the server.
type (
	number      = liveresponse.Number
	text        = liveresponse.Text
	flag        = liveresponse.Flag
	list[T any] = liveresponse.List[T]
)

// moment is a time: epoch seconds with or without a fraction in Live Response,
// text in the server's zone in sensors.
type moment struct{ time.Time }

// sensorTime is how sensors' times are written; Go accepts a fraction after the
// seconds on its own.
const sensorTime = "2006-01-02 15:04:05Z07:00"

func (m *moment) UnmarshalJSON(b []byte) error {
	s, err := liveresponse.Scalar(b)
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
