package edrsim

import (
	"slices"
	"time"
)

// States of a session on the wire.
const (
	sessionPending = "pending"
	sessionActive  = "active"
	sessionTimeout = "timeout"
	sessionClosed  = "close"
)

// A session is a Live Response session. Its life is a sequence of dated events:
// the sensor's check-in, starts and ends of commands, time-outs.
type session struct {
	srv    *Server
	id     int
	sensor *sensor
	status string

	created     time.Time
	activated   time.Time
	ended       time.Time
	lastUse     time.Time // by the client: command, keepalive; or a command's end
	sensorWaits time.Time // since when the sensor has been waiting for a command

	checkInTimeout time.Duration
	sensorTimeout  time.Duration
	idleTimeout    time.Duration

	commands []*command // by id, from 1
	queue    []*command // those that are not done
	files    []*storedFile
	stored   int64 // bytes
}

func (x *session) alive() bool { return x.status == sessionPending || x.status == sessionActive }

// connect makes a pending session active, at a check-in of its sensor.
func (x *session) connect(at time.Time) {
	if x.status != sessionPending || at.Before(x.created) || at.After(x.created.Add(x.checkInTimeout)) {
		return
	}
	x.status = sessionActive
	x.activated, x.lastUse, x.sensorWaits = at, at, at
}

// settle plays what has happened up to now.
func (x *session) settle(now time.Time) {
	x.sensor.advance(now)
	for x.alive() {
		at, do := x.next()
		if at.After(now) {
			return
		}
		do(at)
	}
}

// wakeAt is when something will next happen to the session by itself; waiting
// requests sleep until then.
func (x *session) wakeAt() time.Time {
	at, _ := x.next()
	if next := x.sensor.nextCheckIn; x.status == sessionPending && !next.IsZero() && next.Before(at) {
		return next
	}
	return at
}

// next is the session's next event but for check-ins.
func (x *session) next() (time.Time, func(time.Time)) {
	if x.status == sessionPending {
		return x.created.Add(x.checkInTimeout), x.timeOut
	}
	at, do := x.expiry()
	if off, ok := x.powerLoss(); ok && off.Before(at) {
		at, do = off, x.losePower
	}
	running := false
	for _, c := range x.queue {
		switch {
		case c.status == commandRunning:
			running = true
			if !c.ends.After(at) {
				at, do = c.ends, c.finish
			}
		case running && x.srv.as.commands == "serial":
			return at, do
		case !c.readyAt().After(at):
			return c.readyAt(), c.start
		}
	}
	return at, do
}

// expiry is when the session times out unless something is done with it.
func (x *session) expiry() (time.Time, func(time.Time)) {
	at := x.lastUse.Add(x.idleTimeout)
	if hangUp := x.sensorWaits.Add(x.sensorTimeout); len(x.queue) == 0 && hangUp.Before(at) {
		return hangUp, x.timeOut
	}
	return at, x.timeOut
}

// powerLoss is when the sensor's schedule will end the connection.
func (x *session) powerLoss() (time.Time, bool) {
	if x.sensor.power.manual || x.srv.as.powerLoss == "hang" {
		return time.Time{}, false
	}
	return x.sensor.power.change(x.activated)
}

func (x *session) losePower(at time.Time) {
	if x.status == sessionActive && x.srv.as.powerLoss == "timeout" {
		x.end(sessionTimeout, at)
	}
}

func (x *session) timeOut(at time.Time) { x.end(sessionTimeout, at) }

// end finishes the session and frees its slot.
func (x *session) end(status string, at time.Time) {
	for _, c := range slices.Clone(x.queue) {
		if c.status == commandRunning && x.srv.as.inFlight == "finish" {
			c.finish(at)
		}
	}
	x.status, x.ended = status, at
	x.sensor.live = slices.DeleteFunc(x.sensor.live, func(y *session) bool { return y == x })
	x.srv.sessionEnded(x)
}

// keepAlive resets the sensor's wait; on a pending session it is deadly.
func (x *session) keepAlive(now time.Time) error {
	switch {
	case x.status == sessionActive:
		x.lastUse, x.sensorWaits = now, now
		return nil
	case x.status == sessionPending && x.srv.as.keepalive == "ignore":
		return nil
	case x.status == sessionPending:
		x.end(sessionClosed, now)
	}
	return x.gone("not found or in an invalid state to keep alive")
}

// wireSession is a session object.
type wireSession struct {
	ID                int      `json:"id"`
	SensorID          int      `json:"sensor_id"`
	Status            string   `json:"status"`
	Hostname          string   `json:"hostname"`
	Address           *string  `json:"address"`
	SupportedCommands []string `json:"supported_commands"`
	Drives            []string `json:"drives"`
	WorkDir           string   `json:"current_working_directory"`
	OSVersion         string   `json:"os_version"`
	CreateTime        epoch    `json:"create_time"`
	CloseTime         epoch    `json:"close_time,omitzero"`
	StorageSize       any      `json:"storage_size"`
	StorageTTL        int      `json:"storage_ttl"`
	CheckInTimeout    int      `json:"check_in_timeout"`
	SensorWaitTimeout int      `json:"sensor_wait_timeout"`
	SessionTimeout    int      `json:"session_timeout"`
	GroupID           int      `json:"group_id,omitempty"`
}

// wire is the session object of the API. The sensor's own fields are empty until it has
// connected.
func (x *session) wire() wireSession {
	w := wireSession{
		ID: x.id, SensorID: x.sensor.id, Status: x.status, Hostname: x.sensor.hostname,
		SupportedCommands: []string{}, Drives: []string{}, CreateTime: epoch(x.created),
		StorageSize: x.storageSize(), StorageTTL: int(storageTTL / (24 * time.Hour)),
		CheckInTimeout: seconds(x.checkInTimeout), SensorWaitTimeout: seconds(x.sensorTimeout), SessionTimeout: seconds(x.idleTimeout),
	}
	if x.status == sessionClosed {
		w.CloseTime = epoch(x.ended)
	}
	if x.srv.as.sessionGroup == "present" {
		w.GroupID = x.sensor.groupID
	}
	if x.activated.IsZero() {
		return w
	}
	address := x.sensor.ip
	if x.srv.as.address == "mapped" {
		address = "::ffff:" + address
	}
	w.Address = &address
	w.SupportedCommands = x.sensor.supportedCommands()
	w.WorkDir = images[x.sensor.os()]().cwd
	if x.sensor.windows() {
		w.Drives = windowsDrives
	}
	return w
}

func seconds(d time.Duration) int { return int(d / time.Second) }
