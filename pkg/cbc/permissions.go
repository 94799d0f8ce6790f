package cbc

import (
	"context"
	"errors"
	"net/http"

	"edrpipe/pkg/edr"
)

// Ids that no session, file, alert, override and job has. A request that names them
// changes nothing; without the right for it the server refuses it with 403.
const (
	noSession = "0:0"
	nothing   = "00000000-0000-4000-8000-000000000000"
)

// trial is a request that needs one right and has no effect.
type trial struct {
	name, right, use string
	method, path     string // no method: there is no request without effect
	body             any
}

// trials are the rights that this package uses, with a request for each.
func (c *Client) trials() []trial {
	command := func(name, right, use string, body map[string]any) trial {
		return trial{name, right, use, http.MethodPost, c.sessions(noSession, "commands"), body}
	}
	const session, file, process, registry = "org.liveresponse.session", "org.liveresponse.file", "org.liveresponse.process", "org.liveresponse.registry"
	const overrides, key = "org.reputations", `HKLM\SOFTWARE\edrpipe`
	return []trial{
		{"device", "READ", "finding endpoints", http.MethodPost, c.app("/devices/_search"), map[string]any{"rows": 1}},
		{"device.quarantine", "EXECUTE", "isolate, unisolate", "", "", nil},
		{session, "READ", "every action on an endpoint", http.MethodGet, c.sessions(), nil},
		{session, "CREATE", "every action on an endpoint", http.MethodPost, c.sessions(), map[string]any{"device_id": 0}},
		{session, "DELETE", "every action on an endpoint", http.MethodDelete, c.sessions(noSession), nil},
		{file, "READ", "get_file, collect", http.MethodGet, c.sessions(noSession, "files"), nil},
		command(file, "CREATE", "put_file", map[string]any{"name": cmdMakeDir, "path": `c:\edrpipe`}),
		{file, "DELETE", "delete_file, and stored files after use", http.MethodDelete, c.sessions(noSession, "files", nothing), nil},
		command(process, "READ", "list_processes", map[string]any{"name": cmdProcesses}),
		command(process, "EXECUTE", "run, create_process", map[string]any{"name": cmdRun, "path": "hostname", "wait": false}),
		command(process, "DELETE", "kill_process", map[string]any{"name": cmdKill, "pid": 0}),
		command(registry, "READ", "get_registry_value, list_registry_key", map[string]any{"name": cmdRegKey, "path": key}),
		command(registry, "CREATE", "create_registry_key", map[string]any{"name": cmdRegCreate, "path": key}),
		command(registry, "UPDATE", "set_registry_value", map[string]any{"name": cmdRegSet, "path": key + `\x`, "value_type": "REG_SZ", "value_data": "", "overwrite": false}),
		command(registry, "DELETE", "delete_registry_key, delete_registry_value", map[string]any{"name": cmdRegDelete, "path": key}),
		command("org.liveresponse.memdump", "READ", "memory_dump", map[string]any{"name": cmdMemdump, "path": `c:\edrpipe`, "compress": false}),
		{overrides, "READ", "ban_hash, unban_hash", http.MethodPost, c.app("/reputations/overrides/_search"), map[string]any{"rows": 1}},
		{overrides, "CREATE", "ban_hash", http.MethodPost, c.app("/reputations/overrides"), map[string]any{"override_list": "NONE", "override_type": "NONE"}},
		{overrides, "DELETE", "unban_hash", http.MethodDelete, c.app("/reputations/overrides/" + nothing), nil},
		{"org.alerts", "READ", "the alert poller, close_alert", http.MethodPost, c.alerts("/_search"), map[string]any{"rows": 1}},
		{"org.alerts.close", "EXECUTE", "close_alert", http.MethodPost, c.alerts("/workflow"), map[string]any{"criteria": map[string]any{"id": []string{nothing}}, "status": "NONE"}},
		{"jobs.status", "READ", "close_alert", http.MethodGet, c.jobs("/0"), nil},
		{"org.alerts.notes", "READ", "note_alert", http.MethodGet, c.alerts("/" + nothing + "/notes"), nil},
		{"org.alerts.notes", "CREATE", "note_alert", http.MethodPost, c.alerts("/" + nothing + "/notes"), map[string]string{"note": ""}},
	}
}

// Permissions tries each right that this package uses by a request that changes nothing:
// it names a session, alert or override that does not exist, or is not complete. A server
// that looks for the object before it looks at the right hides that one is missing;
// quarantine cannot be tried without an action.
func (c *Client) Permissions(ctx context.Context) []edr.Permission {
	var all []edr.Permission
	for _, t := range c.trials() {
		p := edr.Permission{Name: t.name, Right: t.right, For: t.use}
		p.State, p.Err = c.try(ctx, t)
		all = append(all, p)
	}
	return all
}

// try sends one trial. A refusal for the rate is waited for.
func (c *Client) try(ctx context.Context, t trial) (edr.PermissionState, error) {
	if t.method == "" {
		return edr.Untested, errors.New("it can only be tried by acting on a device")
	}
	for {
		f := c.once(ctx, call{method: t.method, path: t.path, body: t.body})
		switch {
		case f == nil, errors.Is(f.err, edr.ErrSessionLimit):
			return edr.Granted, nil
		case f.err.Status == http.StatusTooManyRequests && ctx.Err() == nil:
			continue
		case f.err.Status == http.StatusForbidden:
			return edr.Missing, f.err
		case f.err.Status == http.StatusBadRequest, f.err.Status == http.StatusNotFound && !errors.Is(f.err, edr.ErrUnauthorized), f.err.Status == http.StatusConflict:
			return edr.Granted, nil // it was looked at, and is about nothing
		}
		return edr.Untested, f.err
	}
}
