package edrsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// cloudCommand is the body of a POST of a command. The target is the path, or the
// pid of kill; the object of older clients is taken too.
type cloudCommand struct {
	commandRequest
	Path   json.RawMessage `json:"path"`
	PID    json.RawMessage `json:"pid"`
	FileID string          `json:"file_id"`
	Count  number          `json:"count"`
}

func (c *cloud) postCommand(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return badRequest(err)
	}
	c.srv.mu.Lock()
	x, err := c.usable(r)
	var v object
	if err == nil {
		v, err = c.submit(x, body)
	}
	c.srv.mu.Unlock()
	if err != nil {
		return err
	}
	return c.replyStatus(w, r, http.StatusCreated, v)
}

// submit checks a command and queues it. Callers hold the server's mutex.
func (c *cloud) submit(x *session, body []byte) (object, error) {
	if len(body) > cloudCommandMax || len(x.commands) >= cloudCommands {
		return nil, &cloudError{statusCode(c.quirks["command-limit"]), "LIMIT_EXCEEDED",
			fmt.Sprintf("A session takes %d commands of at most %d bytes", cloudCommands, cloudCommandMax), nil}
	}
	req, err := decodeCloudCommand(body)
	if err != nil {
		return nil, err
	}
	if !x.sensor.supports(req.Name) {
		return nil, invalid("Command %q is not supported by device %d", req.Name, x.sensor.deviceID())
	}
	if c.is("get-range", "honoured") {
		req.GetCount = req.Count
	} else {
		req.Offset, req.GetCount = 0, 0
	}
	var upload *storedFile
	if req.Name == "put file" {
		if upload = x.cloudFile(req.FileID); upload == nil {
			return nil, invalid("File %q not found in session %s", req.FileID, x.cloudID())
		}
		req.commandRequest.FileID = number(upload.ID)
	}
	cmd, err := x.submit(req.commandRequest)
	if err != nil {
		return nil, err
	}
	x.idleTimeout = cloudIdle
	c.srv.notify()
	return c.wireCommand(cmd, true), nil
}

func decodeCloudCommand(body []byte) (cloudCommand, error) {
	var req cloudCommand
	if err := json.Unmarshal(body, &req); err != nil {
		return req, invalid("command: %v", err)
	}
	if req.Name == "" {
		return req, invalid("command: name is missing")
	}
	if !slices.Contains(windowsCommands, req.Name) {
		return req, notOneOf("name", req.Name, windowsCommands...)
	}
	for _, target := range []json.RawMessage{req.Path, req.PID} {
		if len(target) > 0 && !bytes.Equal(target, []byte("null")) {
			req.Object = target
		}
	}
	if bytes.Equal(req.Object, []byte("null")) {
		req.Object = nil
	}
	if len(req.Object) > 0 && (req.Object[0] == '{' || req.Object[0] == '[') {
		return req, invalid("command: the target is neither a string nor a number")
	}
	if len(req.Object) == 0 && req.Name != "process list" {
		return req, invalid("command %q: path is missing", req.Name)
	}
	return req, nil
}

// command finds a command of a session that can be looked at. Callers hold the
// server's mutex.
func (c *cloud) command(r *http.Request) (*command, error) {
	x, err := c.readable(r)
	if err != nil {
		return nil, err
	}
	first, _ := strconv.Atoi(c.quirks["command-ids"])
	id, err := strconv.Atoi(r.PathValue("cid"))
	if err != nil || id < first || id-first >= len(x.commands) {
		return nil, notFound(fmt.Sprintf("Command %s not found in session %s", r.PathValue("cid"), x.cloudID()))
	}
	cmd := x.commands[id-first]
	if cmd.status == c.srv.as.cancel && c.is("cancelled", "gone") {
		return nil, notFound(fmt.Sprintf("Command %d not found in session %s", id, x.cloudID()))
	}
	return cmd, nil
}

func (c *cloud) getCommand(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	cmd, err := c.command(r)
	var v object
	if err == nil {
		v = c.wireCommand(cmd, true)
	}
	c.srv.mu.Unlock()
	if err != nil {
		return err
	}
	return c.srv.reply(w, r, v)
}

func (c *cloud) listCommands(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	x, err := c.readable(r)
	if err != nil {
		c.srv.mu.Unlock()
		return err
	}
	list := make([]object, 0, len(x.commands))
	for _, cmd := range x.commands {
		if cmd.status != c.srv.as.cancel || !c.is("cancelled", "gone") {
			list = append(list, c.wireCommand(cmd, c.is("command-list", "full")))
		}
	}
	c.srv.mu.Unlock()
	return c.srv.reply(w, r, c.envelope(list, len(list)))
}

// cancelCommand takes back a command that has not begun.
func (c *cloud) cancelCommand(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	cmd, err := c.command(r)
	if err != nil {
		return err
	}
	if cmd.status != commandPending && c.is("cancel-running", "409") {
		return &cloudError{http.StatusConflict, "CONFLICT", "Only a pending command can be cancelled", nil}
	}
	cmd.cancel(c.srv.clock.now())
	c.srv.notify()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// wireCommand is a command object, with the results of all commands or as a summary.
// finish_time is present even in a pending command.
func (c *cloud) wireCommand(cmd *command, full bool) object {
	x := cmd.session
	first, _ := strconv.Atoi(c.quirks["command-ids"])
	finish := cmd.ended
	if finish.IsZero() {
		finish = cmd.created
	}
	v := object{
		"id": cmd.id - 1 + first, "session_id": x.cloudID(), "device_id": x.sensor.deviceID(), "name": cmd.req.Name,
		"status": c.word(cmd.status, false), "result_code": 0, "result_type": nil, "result_desc": "",
		"create_time": c.when(cmd.created, cmd.created.UTC().Format("2006-01-02T15:04:05Z")), "finish_time": c.when(finish, cloudTime(finish)),
		"input": object{"name": cmd.req.Name, "object": cmd.wireObject()},
	}
	if cmd.done() {
		code, typ := cmd.failure.wire(x.sensor.windows())
		v["result_code"], v["result_type"] = any(code), typ
		if c.is("result-code", "signed") {
			v["result_code"] = int32(code)
		}
	}
	if !full {
		return v
	}
	v["values"], v["sub_keys"], v["files"] = []any{}, []any{}, []any{}
	if cmd.req.Name == "get file" {
		v["file_details"] = object{"offset": int64(cmd.req.Offset), "count": int64(cmd.req.GetCount), "file_id": x.cloudFileID(cmd.file)}
	}
	if cmd.status == commandRunning && cmd.req.Name == "memdump" {
		percent := int(100 * c.srv.clock.now().Sub(cmd.started) / max(cmd.ends.Sub(cmd.started), 1))
		for k, p := range dumpProgress(percent, bool(cmd.req.Compress)) {
			v[k] = p
		}
	}
	for k, result := range cmd.result {
		v[k] = c.wireResult(result)
	}
	if cmd.req.Name == "create process" && c.is("process-details", "absent") {
		delete(v, "pid")
		delete(v, "return_code")
	}
	return v
}

// wireResult gives one part of a result the names of this API.
func (c *cloud) wireResult(v any) any {
	switch v := v.(type) {
	case []wireEntry:
		list := make([]object, len(v))
		for i, e := range v {
			list[i] = object{"filename": e.Filename, "alternate_name": e.AltName, "attributes": e.Attributes, "size": e.Size,
				"create_time": e.Created, "last_access_time": e.Accessed, "last_write_time": e.Written}
		}
		return list
	case []wireProcess:
		return c.wireProcesses(v)
	case []map[string]any: // of a registry key
		list := make([]object, len(v))
		for i, value := range v {
			list[i] = c.wireValue(value)
		}
		return list
	case map[string]any:
		return c.wireValue(v)
	}
	return v
}

func (c *cloud) wireProcesses(all []wireProcess) []object {
	starts := map[int]int64{}
	for _, p := range all {
		starts[p.PID] = p.CreateTime
	}
	list := make([]object, len(all))
	for i, p := range all {
		list[i] = object{
			"process_pid": p.PID, "process_path": p.Path, "process_cmdline": p.CommandLine, "process_username": p.Username, "sid": p.SID,
			"parent_pid": p.Parent, "create_time": p.CreateTime * 1000, "parent_create_time": starts[p.Parent] * 1000,
		}
	}
	return list
}

// wireValue is a registry value in the names, types and lists of the quirks.
func (c *cloud) wireValue(v map[string]any) object {
	typ, data := fmt.Sprint(v["value_type"]), v["value_data"]
	if many, ok := data.([]string); ok && c.is("multi-sz", "joined") {
		data = strings.Join(many, ",")
	}
	if c.is("reg-type-prefix", "pb") {
		typ = "pb" + typ
	}
	prefix := c.quirks["registry-names"] + "_"
	return object{prefix + "name": v["value_name"], prefix + "type": typ, prefix + "data": data}
}
