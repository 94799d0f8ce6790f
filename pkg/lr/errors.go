package lr

import (
	"net/http"
	"regexp"
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// ErrNotFound is a command, file or hash that does not exist on the server.
var ErrNotFound = liveresponse.ErrNotFound

// Error is a request that did not succeed.
type Error = liveresponse.Error

// kindOf classifies an HTTP status and text. Bodies of 404 begin with "Session" or
// "Sensor", which is the only hint of real servers at what is missing.
func kindOf(status int, reason, path string) error {
	switch status {
	case http.StatusUnauthorized:
		return edr.ErrTokenRefused
	case http.StatusForbidden:
		return edr.ErrUnauthorized
	case http.StatusPreconditionFailed:
		return edr.ErrDisabled
	case http.StatusNotFound:
		return missing(reason, path)
	}
	switch {
	case strings.HasSuffix(path, sessionPath) && limitText.MatchString(reason), status == http.StatusTooManyRequests:
		return edr.ErrSessionLimit
	case strings.HasSuffix(path, sessionPath) && (status == http.StatusConflict || busyText.MatchString(reason)):
		return edr.ErrSessionBusy
	}
	return edr.ErrServer
}

// The words of a refused session are not documented; these are guesses that a
// look at the session list confirms or replaces (Client.OpenSession).
var (
	limitText = regexp.MustCompile(`(?i)maximum|limit|too many`)
	busyText  = regexp.MustCompile(`(?i)already|exists|in use`)
)

func missing(reason, path string) error {
	switch {
	case strings.HasPrefix(reason, "Session"):
		return edr.ErrSessionGone
	case strings.HasPrefix(reason, "Sensor"):
		return edr.ErrUnknownSensor
	case strings.Contains(path, "/command/") || strings.Contains(path, "/file/"):
		return ErrNotFound
	case strings.Contains(path, sessionPath+"/"):
		return edr.ErrSessionGone
	case strings.Contains(path, sensorPath+"/"):
		return edr.ErrUnknownSensor
	}
	return ErrNotFound
}
