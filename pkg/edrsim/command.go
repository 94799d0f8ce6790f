package edrsim

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// States of a command on the wire; the cancelled state's name is a quirk.
const (
	commandPending  = "pending"
	commandRunning  = "in progress"
	commandComplete = "complete"
	commandError    = "error"
)

// A command is one command of a session.
type command struct {
	session *session
	id      int
	req     commandRequest
	status  string

	created time.Time
	started time.Time
	ends    time.Time // while it runs: when it will have ended
	ended   time.Time

	file    *storedFile // of get file and put file
	failure failure
	result  map[string]any
	finally work
}

// work is what a started command does at its end.
type work func(at time.Time) (map[string]any, failure)

func (c *command) done() bool { return c.status != commandPending && c.status != commandRunning }

// readyAt is when the sensor can take the command up.
func (c *command) readyAt() time.Time {
	at := c.created
	if c.session.srv.as.commands == "serial" && c.session.sensorWaits.After(at) {
		return c.session.sensorWaits
	}
	return at
}

// start is the moment at which the sensor begins.
func (c *command) start(at time.Time) {
	x := c.session
	c.status, c.started = commandRunning, at
	x.srv.counters.executed(x.sensor.id, c.req.Name, c.req.object())
	took := x.sensor.spec.latency(c.req.Name, mix(mix(x.sensor.seed, uint64(x.id)), uint64(c.id)))
	run, ok := commandTable[c.req.Name]
	if !ok || !x.sensor.supports(c.req.Name) {
		run = refuse(errNotSupported)
	}
	more, finally := run(&execution{command: c, endpoint: x.sensor.computer(at), at: at})
	c.ends, c.finally = at.Add(took+more), finally
}

// finish is the moment at which the sensor reports the result.
func (c *command) finish(at time.Time) {
	x := c.session
	x.sensor.computer(at)
	c.result, c.failure = c.finally(at)
	c.finally = nil
	c.ended = at
	c.status = commandComplete
	if c.failure != success {
		c.status = commandError
	}
	x.lastUse, x.sensorWaits = at, at
	c.leaveQueue()
}

func (c *command) leaveQueue() {
	c.session.queue = slices.DeleteFunc(c.session.queue, func(d *command) bool { return c == d })
}

// cancel takes back a command that has not been started.
func (c *command) cancel(at time.Time) {
	if c.status != commandPending {
		return
	}
	c.status, c.ended = c.session.srv.as.cancel, at
	c.leaveQueue()
}

// summary is the command as lists show it: without what is particular to it.
func (c *command) summary() map[string]any {
	m := map[string]any{
		"id": c.id, "session_id": c.session.id, "sensor_id": c.session.sensor.id, "name": c.req.Name, "object": c.wireObject(),
		"status": c.status, "username": c.session.srv.cfg.Username, "create_time": epoch(c.created),
	}
	if c.done() {
		m["completion"] = epoch(c.ended)
		m["result_code"], m["result_type"] = c.failure.wire(c.session.sensor.windows())
		m["result_desc"] = ""
	}
	return m
}

// detail is the command with everything known of it.
func (c *command) detail(now time.Time) map[string]any {
	m := c.summary()
	if c.file != nil {
		m["file_id"] = c.file.ID
	}
	if c.status == commandRunning && c.req.Name == "memdump" {
		percent := int(100 * now.Sub(c.started) / max(c.ends.Sub(c.started), 1))
		maps.Copy(m, dumpProgress(percent, bool(c.req.Compress)))
	}
	maps.Copy(m, c.result)
	return m
}

// wireObject echoes the object as it was sent: a number stays one.
func (c *command) wireObject() json.RawMessage {
	if len(c.req.Object) == 0 {
		return json.RawMessage("null")
	}
	return c.req.Object
}
