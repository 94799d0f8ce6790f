package cbc

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// Error is a failed request. errors.Is recognises the edr errors in it, and those of
// the network and the context.
type Error = liveresponse.Error

// Errors besides those of pkg/edr.
var (
	// ErrNotFound is a command, file, alert, job or override that does not exist on the server.
	ErrNotFound = liveresponse.ErrNotFound
	// ErrTooLarge is a command beyond the product's 10 KB. It was not sent.
	ErrTooLarge = errors.New("command is larger than the 10 KB that Carbon Black Cloud takes; put a script file on the device and run that")
)

// reasonIn finds the message in an error's body: JSON of several shapes, or text.
func reasonIn(b []byte) string {
	var j struct {
		Code    liveresponse.Text `json:"error_code"`
		Message liveresponse.Text `json:"message"`
		Reason  liveresponse.Text `json:"reason"`
		Old     liveresponse.Text `json:"errorMessage"`
		Error   liveresponse.Text `json:"error"`
	}
	if json.Unmarshal(b, &j) != nil {
		return string(b)
	}
	var parts []string
	for _, s := range []liveresponse.Text{j.Code, j.Message, j.Reason, j.Old, j.Error} {
		if s != "" {
			parts = append(parts, string(s))
		}
	}
	if len(parts) == 0 {
		return string(b)
	}
	return strings.Join(parts, ": ")
}

// errorMessage finds the error that an answer of success carries.
func errorMessage(b []byte) string {
	if !bytes.Contains(b, []byte(`"errorMessage"`)) {
		return ""
	}
	var j struct {
		ErrorMessage liveresponse.Text `json:"errorMessage"`
	}
	if json.Unmarshal(b, &j) != nil {
		return ""
	}
	return string(j.ErrorMessage)
}

// sessionLimit matches the refusal of a session over the limit of the organisation.
// Its status is that of a missing permission.
var sessionLimit = regexp.MustCompile(`(?i)session[ _]limit`)

// kindOf classifies an HTTP status by the request.
func (c *Client) kindOf(status int, body []byte, r call) error {
	opens := r.method == http.MethodPost && r.path == c.sessions()
	switch status {
	case http.StatusUnauthorized:
		return edr.ErrTokenRefused
	case http.StatusForbidden:
		if opens && sessionLimit.Match(body) {
			return edr.ErrSessionLimit
		}
		return edr.ErrUnauthorized
	case http.StatusNotFound:
		return c.missing(body, r)
	case http.StatusConflict:
		if opens {
			return edr.ErrSessionBusy
		}
	}
	if opens && sessionLimit.Match(body) {
		return edr.ErrSessionLimit
	}
	return edr.ErrServer
}

// missing returns the error for the object that a 404 refers to.
func (c *Client) missing(body []byte, r call) error {
	rest, live := strings.CutPrefix(r.path, c.sessions())
	switch {
	case bytes.Contains(body, []byte("org_id")):
		return edr.ErrUnauthorized // the organisation is unknown: the configuration is wrong
	case live && rest == "":
		return edr.ErrUnknownSensor
	case live && strings.Contains(rest, "/files/"):
		return ErrNotFound
	case live:
		return edr.ErrSessionGone
	case strings.HasPrefix(r.path, c.app("/devices/")), strings.HasPrefix(r.path, c.app("/device_actions")):
		return edr.ErrUnknownSensor
	}
	return ErrNotFound
}

// permissions are the groups that requests need, by a part of their path.
var permissions = []struct{ part, needs string }{
	{"/keepalive", "org.liveresponse.session READ"},
	{"/commands", "org.liveresponse.file, .process, .registry and .memdump"},
	{"/files", "org.liveresponse.file CREATE, READ and DELETE"},
	{"/liveresponse/sessions", "org.liveresponse.session CREATE, READ and DELETE"},
	{"/device_actions", "device.quarantine EXECUTE"},
	{"/devices", "device READ"},
	{"/reputations", "org.reputations CREATE, READ and DELETE"},
	{"/alerts/workflow", "org.alerts.close EXECUTE"},
	{"/notes", "org.alerts.notes CREATE and READ"},
	{"/alerts", "org.alerts READ"},
	{"/jobs/", "jobs.status READ"},
}

// withPermission adds the permission that is likely missing to a refusal: the product
// does not name it.
func withPermission(reason string, r call) string {
	for _, p := range permissions {
		if strings.Contains(r.path, p.part) {
			return strings.TrimPrefix(reason+"; ", "; ") + "the key's access level likely lacks " + p.needs
		}
	}
	return reason
}
