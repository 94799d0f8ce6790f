package edrsim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
)

// frozen is a server whose clock all but stands still, so that tests move it.
func frozen(sensors int) edrsim.Config {
	return edrsim.Config{Token: "token", Sensors: sensors, TimeScale: 1e-6, CheckIn: 30 * time.Second, Seed: 1,
		Start: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

// post opens a session without waiting for it.
func (c *client) post(sensor int) string {
	c.t.Helper()
	s := c.do("POST", "/api/v1/cblr/session", m{"sensor_id": sensor}, 200).(m)
	return fmt.Sprintf("/api/v1/cblr/session/%v", s["id"])
}

func (c *client) status(session string) string {
	c.t.Helper()
	return c.get(session)["status"].(string)
}

func TestSessionBecomesActiveAtACheckIn(t *testing.T) {
	c := start(t, frozen(1))
	s := c.post(1)
	next := c.sim.State().Sensors[0].NextCheckIn
	c.sim.Advance(next.Sub(c.sim.Now()) - time.Second)
	if got := c.status(s); got != "pending" {
		t.Errorf("a second before the check-in the session is %s, want pending", got)
	}
	c.sim.Advance(2 * time.Second)
	got := c.get(s)
	if got["status"] != "active" || got["address"] != "::ffff:10.20.0.1" || len(got["drives"].([]any)) != 3 || got["current_working_directory"] == "" {
		t.Errorf("after the check-in the session is %v", got)
	}
}

func TestSessionTimers(t *testing.T) {
	t.Run("a sensor that is off is waited for as long as asked", func(t *testing.T) {
		c := start(t, frozen(1))
		c.sim.SetPower(1, false)
		s := c.do("POST", "/api/v1/cblr/session", m{"sensor_id": "1", "check_in_timeout": 60}, 200).(m)
		path := fmt.Sprintf("/api/v1/cblr/session/%v", s["id"])
		c.sim.Advance(59 * time.Second)
		if got := c.status(path); got != "pending" {
			t.Errorf("status = %s, want pending", got)
		}
		c.sim.Advance(2 * time.Second)
		c.do("GET", path, nil, 404)
		c.post(1)
	})
	t.Run("a sensor hangs up when no command comes", func(t *testing.T) {
		c := start(t, frozen(1))
		s := c.activate(1)
		c.get(s + "/keepalive")
		c.sim.Advance(119 * time.Second)
		if got := c.status(s); got != "active" {
			t.Errorf("status = %s, want active", got)
		}
		c.sim.Advance(2 * time.Second)
		if got := c.status(s); got != "timeout" {
			t.Errorf("status = %s, want timeout", got)
		}
	})
	t.Run("keepalives hold a session", func(t *testing.T) {
		c := start(t, frozen(1))
		s := c.activate(1)
		for range 10 {
			c.sim.Advance(100 * time.Second)
			c.get(s + "/keepalive")
		}
		if got := c.status(s); got != "active" {
			t.Errorf("status = %s, want active", got)
		}
	})
	t.Run("a long command does not hold one", func(t *testing.T) {
		c := start(t, frozen(1))
		s := c.activate(1)
		c.do("POST", s+"/command", m{"name": "create process", "object": "ping -n 1000 x", "wait": true}, 200)
		c.sim.Advance(299 * time.Second)
		if got := c.status(s); got != "active" {
			t.Errorf("status = %s, want active", got)
		}
		c.sim.Advance(2 * time.Second)
		if got := c.status(s); got != "timeout" {
			t.Errorf("status = %s, want timeout", got)
		}
		if got := c.get(s + "/command/1")["status"]; got != "in progress" {
			t.Errorf("the command is %v, want it lost in progress", got)
		}
	})
}

// activate opens a session and plays until the sensor has taken it up.
func (c *client) activate(sensor int) string {
	c.t.Helper()
	s := c.post(sensor)
	c.sim.Advance(33 * time.Second)
	if got := c.status(s); got != "active" {
		c.t.Fatalf("session is %s, want active", got)
	}
	return s
}

func TestKeepaliveClosesAPendingSession(t *testing.T) {
	c := start(t, frozen(1))
	s := c.post(1)
	body := c.do("GET", s+"/keepalive", nil, 404).(string)
	if !strings.HasPrefix(body, "Session 1 ") {
		t.Errorf("body = %q, want it to begin with Session", body)
	}
	if got := c.status(s); got != "close" {
		t.Errorf("status = %s, want close", got)
	}
}

func TestSlots(t *testing.T) {
	cfg := frozen(12)
	cfg.Slots = 10
	c := start(t, cfg)
	for i := 1; i <= 10; i++ {
		c.post(i)
	}
	if got := c.do("POST", "/api/v1/cblr/session", m{"sensor_id": 11}, 500); got != "Maximum number of Live Response sessions reached" {
		t.Errorf("body = %q", got)
	}
	c.do("PUT", "/api/v1/cblr/session/3", m{"id": 3, "status": "close"}, 200)
	c.post(11)
	n := c.sim.Counters().Sessions
	if n.Opened != 11 || n.Peak != 10 || n.Refused != 1 || n.Open != 10 || n.Closed != 1 {
		t.Errorf("counters = %+v", n)
	}
}

func TestDuplicateSession(t *testing.T) {
	for value, want := range map[string]struct {
		status int
		id     float64
	}{"409": {409, 0}, "existing": {200, 1}, "new": {200, 2}, "500": {500, 0}} {
		t.Run(value, func(t *testing.T) {
			cfg := frozen(1)
			cfg.Quirks = edrsim.Quirks{"duplicate-session": value}
			c := start(t, cfg)
			c.post(1)
			got := c.do("POST", "/api/v1/cblr/session", m{"sensor_id": 1}, want.status)
			if s, ok := got.(m); ok && s["id"] != want.id {
				t.Errorf("id = %v, want %v", s["id"], want.id)
			}
		})
	}
}

func TestCommandsRunInOrderOneAtATime(t *testing.T) {
	c := start(t, frozen(1))
	s := c.activate(1)
	for range 3 {
		c.do("POST", s+"/command", m{"name": "create process", "object": "ping -n 10 x", "wait": true}, 200)
	}
	states := func() (list []any) {
		for _, cmd := range c.do("GET", s+"/command", nil, 200).([]any) {
			list = append(list, cmd.(m)["status"])
		}
		return list
	}
	c.sim.Advance(5 * time.Second)
	if got := states(); !equal(got, []any{"in progress", "pending", "pending"}) {
		t.Errorf("after 5 s: %v", got)
	}
	c.do("PUT", s+"/command/1", m{"id": 1, "status": "cancel"}, 200)
	c.do("PUT", s+"/command/2", m{"id": 2, "status": "cancel"}, 200)
	c.sim.Advance(7 * time.Second)
	if got := states(); !equal(got, []any{"complete", "cancel", "in progress"}) {
		t.Errorf("after 12 s: %v, the running one cannot be cancelled and the pending one can", got)
	}
	c.sim.Advance(20 * time.Second)
	first, last := c.get(s+"/command/1"), c.get(s+"/command/3")
	if last["create_time"].(float64) > first["completion"].(float64) || last["completion"].(float64)-first["completion"].(float64) < 10 {
		t.Errorf("first ended at %v, last at %v", first["completion"], last["completion"])
	}
}

func TestWaitIsCutOffByTheProxy(t *testing.T) {
	cfg := frozen(1)
	cfg.TimeScale = 1000
	c := start(t, cfg)
	s := c.open(1)
	c.do("POST", s+"/command", m{"name": "create process", "object": "ping -n 100 x", "wait": true}, 200)
	c.do("GET", s+"/command/1?wait=true", nil, http.StatusGatewayTimeout)
	if got := c.get(s + "/command/1?wait=true")["status"]; got != "complete" {
		t.Errorf("the second wait ends with %v", got)
	}
}

func TestIsolationFollowsAtTheNextCheckIn(t *testing.T) {
	c := start(t, frozen(1))
	flags := func() [2]any {
		s := c.get("/api/v1/sensor/1")
		return [2]any{s["network_isolation_enabled"], s["is_isolating"]}
	}
	for _, want := range []bool{true, false} {
		c.do("PUT", "/api/v1/sensor/1", m{"network_isolation_enabled": want, "group_id": 1}, 204)
		if got := flags(); got != [2]any{want, !want} {
			t.Errorf("at once: %v", got)
		}
		c.sim.Advance(33 * time.Second)
		if got := flags(); got != [2]any{want, want} {
			t.Errorf("after a check-in: %v", got)
		}
	}
}

func TestPower(t *testing.T) {
	c := start(t, frozen(1))
	status := func() any { return c.get("/api/v1/sensor/1")["status"] }
	s := c.activate(1)
	c.sim.SetPower(1, false)
	if got := c.status(s); got != "timeout" {
		t.Errorf("the session is %s, want timeout", got)
	}
	c.sim.Advance(4 * time.Minute)
	if got := status(); got != "Online" {
		t.Errorf("four minutes after the power went the sensor reads %v, want the stale Online", got)
	}
	c.sim.Advance(2 * time.Minute)
	if got := status(); got != "Offline" {
		t.Errorf("six minutes after: %v, want Offline", got)
	}
	s = c.post(1)
	c.sim.SetPower(1, true)
	c.sim.Advance(11 * time.Second)
	if got, st := status(), c.status(s); got != "Online" || st != "active" {
		t.Errorf("after power-on the sensor is %v and the session %s", got, st)
	}
}

func TestPowerSchedule(t *testing.T) {
	cfg := frozen(1)
	cfg.Fleet = []edrsim.SensorSpec{{Power: edrsim.Power{AsleepUntil: 10 * time.Minute, AwakeFor: 20 * time.Minute, AsleepFor: time.Hour}}}
	c := start(t, cfg)
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, "Offline"}, {9 * time.Minute, "Offline"}, {2 * time.Minute, "Online"}, {18 * time.Minute, "Online"}, {10 * time.Minute, "Offline"},
		{50 * time.Minute, "Offline"}, {2 * time.Minute, "Online"}, {100 * 80 * time.Minute, "Online"}, {30 * time.Minute, "Offline"}} {
		c.sim.Advance(step.after)
		if got := c.get("/api/v1/sensor/1")["status"]; got != step.want {
			t.Errorf("%v: %v, want %s", c.sim.Now().Sub(cfg.Start), got, step.want)
		}
	}
}

func TestHistoryIsKeptForAWeek(t *testing.T) {
	c := start(t, frozen(1))
	s := c.post(1)
	c.do("PUT", s, m{"status": "close"}, 200)
	c.sim.Advance(6 * 24 * time.Hour)
	if n := len(c.do("GET", "/api/v1/cblr/session", nil, 200).([]any)); n != 1 {
		t.Errorf("%d sessions after six days, want 1", n)
	}
	c.sim.Advance(2 * 24 * time.Hour)
	if n := len(c.do("GET", "/api/v1/cblr/session", nil, 200).([]any)); n != 0 {
		t.Errorf("%d sessions after eight days, want none", n)
	}
}
