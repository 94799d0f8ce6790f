package edrsim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// permissionForm is name:RIGHT.
var permissionForm = regexp.MustCompile(`^[a-z.]+:[A-Z]+$`)

// commandRights are the permissions of commands, as name:RIGHT.
var commandRights = map[string]string{
	"get file": "org.liveresponse.file:READ", "directory list": "org.liveresponse.file:READ", "put file": "org.liveresponse.file:CREATE",
	"create directory": "org.liveresponse.file:CREATE", "delete file": "org.liveresponse.file:DELETE",
	"process list": "org.liveresponse.process:READ", "create process": "org.liveresponse.process:EXECUTE", "kill": "org.liveresponse.process:DELETE",
	"reg enum key": "org.liveresponse.registry:READ", "reg query value": "org.liveresponse.registry:READ",
	"reg create key": "org.liveresponse.registry:CREATE", "reg set value": "org.liveresponse.registry:UPDATE",
	"reg delete key": "org.liveresponse.registry:DELETE", "reg delete value": "org.liveresponse.registry:DELETE",
	"memdump": "org.liveresponse.memdump:READ",
}

// pathRights are the permissions of other requests, by a part of their path.
var pathRights = []struct{ part, name, rights string }{
	{"/liveresponse/sessions/{sid}/files", "org.liveresponse.file", ""},
	{"/liveresponse/sessions", "org.liveresponse.session", ""},
	{"/device_actions", "device.quarantine", "EXECUTE"},
	{"/devices", "device", "READ"},
	{"/overrides/_search", "org.reputations", "READ"},
	{"/overrides/_delete", "org.reputations", "DELETE"},
	{"/overrides", "org.reputations", ""},
	{"/alerts/workflow", "org.alerts.close", "EXECUTE"},
	{"/notes", "org.alerts.notes", ""},
	{"/alerts", "org.alerts", "READ"},
	{"/jobs", "jobs.status", "READ"},
}

// rightOf is the permission that a request needs, as name:RIGHT.
func rightOf(r *http.Request) string {
	if r.Method == http.MethodPost && strings.HasSuffix(r.Pattern, "/commands") {
		body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody)) // what cannot be read is no command
		r.Body = io.NopCloser(bytes.NewReader(body))
		var command struct{ Name string }
		_ = json.Unmarshal(body, &command)
		return commandRights[command.Name]
	}
	for _, p := range pathRights {
		if !strings.Contains(r.Pattern, p.part) {
			continue
		}
		if p.rights != "" {
			return p.name + ":" + p.rights
		}
		right := map[string]string{http.MethodGet: "READ", http.MethodPost: "CREATE", http.MethodDelete: "DELETE"}[r.Method]
		return p.name + ":" + right
	}
	return ""
}

// permitted refuses what the quirk says that the key may not do. The answer does not name
// the permission, as the real one does not.
func (c *cloud) permitted(r *http.Request) error {
	missing := c.quirks["missing-permission"]
	if missing == "none" || rightOf(r) != missing {
		return nil
	}
	return &cloudError{http.StatusForbidden, "FORBIDDEN", "The API key is not permitted to do this", nil}
}
