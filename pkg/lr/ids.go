package lr

import (
	"fmt"
	"strconv"

	"edrpipe/pkg/edr"
)

// Ids are text everywhere else in edrpipe; on Carbon Black's wire they are numbers.
// A number has one spelling only, so that one sensor is one endpoint.

// idText is the text of an id of the wire.
func idText(n number) string { return strconv.FormatInt(int64(n), 10) }

// sensorNumber parses a sensor's id. Text that is no id of this product is
// edr.ErrUnknownSensor.
func sensorNumber(id string) (number, error) {
	n, ok := parseID(id)
	if !ok {
		return 0, &Error{
			Where: edr.Where{Sensor: id}, Kind: edr.ErrUnknownSensor,
			Reason: fmt.Sprintf("ids of Carbon Black EDR are whole numbers, %q is none", id),
		}
	}
	return n, nil
}

// sessionNumber reads a session's id. Text that is no id of this product names a
// session that the server does not have.
func sessionNumber(id string) (number, error) {
	n, ok := parseID(id)
	if !ok {
		return 0, &Error{
			Where: edr.Where{Session: id}, Kind: edr.ErrSessionGone,
			Reason: fmt.Sprintf("session ids of Carbon Black EDR are whole numbers, %q is none", id),
		}
	}
	return n, nil
}

func parseID(id string) (number, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	return number(n), err == nil && strconv.FormatInt(n, 10) == id
}
