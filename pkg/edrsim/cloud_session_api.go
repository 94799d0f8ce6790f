package edrsim

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func (c *cloud) sessionRoutes(api func(method, path string, f endpointFunc)) {
	api("GET", "/sessions", c.listSessions)
	api("POST", "/sessions", c.openSession)
	api("GET", "/sessions/{sid}", c.getSession)
	api("DELETE", "/sessions/{sid}", c.closeSession)
	api("GET", "/sessions/{sid}/keepalive", c.keepAlive)
	api("GET", "/sessions/{sid}/commands", c.listCommands)
	api("POST", "/sessions/{sid}/commands", c.postCommand)
	api("GET", "/sessions/{sid}/commands/{cid}", c.getCommand)
	api("DELETE", "/sessions/{sid}/commands/{cid}", c.cancelCommand)
	api("GET", "/sessions/{sid}/files", c.listFiles)
	api("POST", "/sessions/{sid}/files", c.uploadFile)
	api("GET", "/sessions/{sid}/files/{fid}", c.getFile)
	api("DELETE", "/sessions/{sid}/files/{fid}", c.deleteFile)
	api("GET", "/sessions/{sid}/files/{fid}/content", c.fileContent)
}

// cloudID is the session's id as text: a number and the device's.
func (x *session) cloudID() string { return fmt.Sprintf("%d:%d", x.id, x.sensor.deviceID()) }

func (s *sensor) deviceID() int { return deviceBase + s.id }

// device finds a sensor by its device id. Callers hold the server's mutex.
func (c *cloud) device(id int) (*sensor, error) {
	if id <= deviceBase || id > deviceBase+len(c.srv.sensors) {
		return nil, notFound(fmt.Sprintf("Device %d not found", id))
	}
	return c.srv.sensors[id-deviceBase-1], nil
}

// anySession finds a session by the id in a request's path, ended ones too.
// Callers hold the server's mutex.
func (c *cloud) anySession(sid string) (*session, error) {
	number, _, _ := strings.Cut(sid, ":")
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil, notFound("Session " + sid + " not found")
	}
	x := c.srv.sessions[n]
	if x == nil || x.cloudID() != sid {
		return nil, notFound("Session " + sid + " not found")
	}
	x.settle(c.srv.clock.now())
	return x, nil
}

// readable finds a session that can be looked at.
func (c *cloud) readable(r *http.Request) (*session, error) {
	x, err := c.anySession(r.PathValue("sid"))
	if err == nil && !x.alive() && c.is("closed-session", "gone") {
		return nil, notFound("Session " + x.cloudID() + " not found")
	}
	return x, err
}

// usable finds a session that commands can be given to.
func (c *cloud) usable(r *http.Request) (*session, error) {
	x, err := c.anySession(r.PathValue("sid"))
	if err == nil && x.status != sessionActive {
		return nil, notFound("Session " + x.cloudID() + " not found or not active")
	}
	return x, err
}

// dropSession times the session out that a path names; a fault.
func (c *cloud) dropSession(path string) bool {
	_, rest, ok := strings.Cut(path, "/liveresponse/sessions/")
	if !ok {
		return false
	}
	sid, _, _ := strings.Cut(rest, "/")
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	x, err := c.anySession(sid)
	if err != nil || x.status != sessionActive {
		return false
	}
	x.end(sessionTimeout, c.srv.clock.now())
	c.srv.notify()
	return true
}

func (c *cloud) listSessions(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	c.srv.settle(c.srv.clock.now())
	list := make([]object, 0, len(c.srv.live))
	for _, x := range c.srv.live {
		list = append(list, c.wireSession(x, false))
	}
	c.srv.mu.Unlock()
	if c.is("list-envelope", "results") {
		return c.srv.reply(w, r, object{"results": list})
	}
	return c.srv.reply(w, r, list)
}

func (c *cloud) openSession(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		DeviceID number `json:"device_id"`
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	c.srv.mu.Lock()
	x, err := c.open(int(req.DeviceID))
	var v object
	if err == nil {
		v = c.wireSession(x, true)
	}
	c.srv.mu.Unlock()
	if e, ok := err.(*cloudError); ok && e.code == "SESSION_LIMIT" {
		c.srv.clock.waitUntil(r.Context(), c.srv.clock.now().Add(c.duration("limit-wait")), nil)
		e.code = "FORBIDDEN"
	}
	if err != nil {
		return err
	}
	return c.replyStatus(w, r, http.StatusCreated, v)
}

// open makes a session, or gives the one there is.
func (c *cloud) open(device int) (*session, error) {
	s := c.srv
	sensor, err := c.device(device)
	if err != nil {
		return nil, err
	}
	now := s.clock.now()
	s.settle(now)
	sensor.advance(now)
	if sensor.spec.NoLive {
		return nil, &cloudError{statusCode(c.quirks["disabled-status"]), "LIVE_RESPONSE_DISABLED", "Live Response is disabled on the device", nil}
	}
	if len(sensor.live) > 0 {
		switch c.quirks["duplicate-session"] {
		case "existing":
			return sensor.live[0], nil
		case "409":
			s.counters.refused()
			return nil, &cloudError{http.StatusConflict, "CONFLICT", "The device has a session already", nil}
		}
	}
	devices := map[int]bool{sensor.id: true}
	for _, x := range s.live {
		devices[x.sensor.id] = true
	}
	if len(devices) > s.cfg.Slots {
		s.counters.refused()
		return nil, &cloudError{statusCode(c.quirks["limit-status"]), "SESSION_LIMIT", "session limit reached", nil}
	}
	s.lastID++
	x := &session{
		srv: s, id: s.lastID, sensor: sensor, status: sessionPending, created: now,
		checkInTimeout: cloudCheckIn, idleTimeout: cloudUnused,
		sensorTimeout: 1000 * time.Hour, // the device waits as long as the server does
	}
	s.sessions[x.id] = x
	s.live = append(s.live, x)
	sensor.live = append(sensor.live, x)
	s.counters.sessionOpened(len(s.live))
	return x, nil
}

func (c *cloud) getSession(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	x, err := c.readable(r)
	var v object
	if err == nil {
		v = c.wireSession(x, false)
	}
	c.srv.mu.Unlock()
	if err != nil {
		return err
	}
	return c.srv.reply(w, r, v)
}

func (c *cloud) closeSession(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	x, err := c.anySession(r.PathValue("sid"))
	if err != nil {
		return err
	}
	if !x.alive() {
		return notFound("Session " + x.cloudID() + " not found")
	}
	x.end(sessionClosed, c.srv.clock.now())
	c.srv.notify()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *cloud) keepAlive(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	x, err := c.anySession(r.PathValue("sid"))
	var v object
	if err == nil {
		err = c.extend(x)
		v = c.wireSession(x, false)
	}
	c.srv.mu.Unlock()
	if err != nil {
		return err
	}
	if c.is("keepalive-reply", "json") {
		return c.srv.reply(w, r, v)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// extend is a keepalive.
func (c *cloud) extend(x *session) error {
	now := c.srv.clock.now()
	switch {
	case x.status == sessionActive:
		x.lastUse = now
	case x.status == sessionPending && c.is("keepalive-pending", "ignore"):
	case x.status == sessionPending:
		x.end(sessionClosed, now)
		c.srv.notify()
		fallthrough
	default:
		return notFound("Session " + x.cloudID() + " not found")
	}
	return nil
}

// word writes a status in the letters of the quirk; opening is the answer to the
// opening of a session.
func (c *cloud) word(status string, opening bool) string {
	if c.is("status-case", "upper") || opening && c.is("status-case", "mixed") {
		return strings.ToUpper(status)
	}
	return status
}

// when writes a time of Live Response in the form of the quirk.
func (c *cloud) when(t time.Time, mixed any) any {
	switch {
	case t.IsZero():
		return nil
	case c.is("time-format", "rfc3339"):
		return cloudTime(t)
	case c.is("time-format", "ms"):
		return t.UnixMilli()
	}
	return mixed
}

// wireSession is a session object: sparse in the answer to its opening.
func (c *cloud) wireSession(x *session, opening bool) object {
	v := object{
		"id": x.cloudID(), "device_id": x.sensor.deviceID(), "status": c.word(x.status, opening),
		"check_in_timeout": seconds(x.checkInTimeout), "session_timeout": seconds(cloudIdle),
		"current_command_index": len(x.commands),
	}
	checkIn := x.activated
	if checkIn.IsZero() {
		checkIn = x.created
	}
	if opening && c.is("session-reply", "sparse") {
		v["create_time"], v["device_check_in_time"] = c.when(x.created, cloudTime(x.created)), c.when(checkIn, cloudTime(checkIn))
		return v
	}
	v["create_time"], v["sensor_check_in_time"] = c.when(x.created, x.created.UnixMilli()), c.when(checkIn, checkIn.UnixMilli())
	for _, name := range []string{"hostname", "address", "os_version", "current_working_directory", "drives", "supported_commands"} {
		v[name] = nil
	}
	if x.activated.IsZero() {
		return v
	}
	v["supported_commands"] = x.sensor.supportedCommands()
	v["current_working_directory"] = images[x.sensor.os()]().cwd
	v["drives"] = []string{"/"}
	if x.sensor.windows() {
		v["drives"] = windowsDrives
	}
	return v
}
