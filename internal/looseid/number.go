package looseid

import "strconv"

// Jobs are keyed by numbers of sensors and sessions until they are keyed by
// edr.Endpoint; until then these convert at that border. Text that is no number
// becomes 0, which is no sensor and no session.

// Text is a number as an id; 0 is none.
func Text[N ~int | ~int64](n N) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}

// Sensor is the number of a sensor.
func Sensor(id string) int {
	n, err := strconv.Atoi(id)
	if err != nil {
		return 0
	}
	return n
}

// Session is the number of a session.
func Session(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
