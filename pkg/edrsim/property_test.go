package edrsim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"edrpipe/pkg/edrsim"
)

// TestInvariants does arbitrary things and checks what must hold whatever they are.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := frozen(6)
		cfg.Slots = 3
		cfg.Quirks = edrsim.Quirks{
			"duplicate-session": rapid.SampledFrom([]string{"409", "existing", "new"}).Draw(t, "duplicate"),
			"in-flight":         rapid.SampledFrom([]string{"lost", "finish"}).Draw(t, "in-flight"),
		}
		sim := edrsim.New(cfg)
		send := func(method, path, body string) {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("X-Auth-Token", sim.Token)
			sim.ServeHTTP(httptest.NewRecorder(), r)
		}
		session := func() string { return fmt.Sprintf("/api/v1/cblr/session/%d", rapid.IntRange(1, 9).Draw(t, "session")) }
		sensor := func() int { return rapid.IntRange(1, 6).Draw(t, "sensor") }
		t.Repeat(map[string]func(*rapid.T){
			"open": func(t *rapid.T) { send("POST", "/api/v1/cblr/session", fmt.Sprintf(`{"sensor_id": %d}`, sensor())) },
			"command": func(t *rapid.T) {
				send("POST", session()+"/command", `{"name": "create process", "object": "ping -n 5 x", "wait": true}`)
			},
			"cancel":    func(t *rapid.T) { send("PUT", session()+"/command/2", `{"status": "cancel"}`) },
			"keepalive": func(t *rapid.T) { send("GET", session()+"/keepalive", "") },
			"close":     func(t *rapid.T) { send("PUT", session(), `{"status": "close"}`) },
			"power":     func(t *rapid.T) { sim.SetPower(sensor(), rapid.Bool().Draw(t, "on")) },
			"wait":      func(t *rapid.T) { sim.Advance(time.Duration(rapid.IntRange(1, 200).Draw(t, "seconds")) * time.Second) },
			"":          func(t *rapid.T) { checkInvariants(t, sim) },
		})
	})
}

func checkInvariants(t *rapid.T, sim *edrsim.Server) {
	n := sim.Counters()
	if n.Sessions.Open > 3 || n.Sessions.Peak > 3 {
		t.Fatalf("slots are exceeded: %+v", n.Sessions)
	}
	if n.Sessions.Opened != n.Sessions.Closed+n.Sessions.TimedOut+int64(n.Sessions.Open) {
		t.Fatalf("sessions do not add up: %+v", n.Sessions)
	}
	for _, x := range sim.State().Sessions {
		r := httptest.NewRequest("GET", fmt.Sprintf("/api/v1/cblr/session/%d/command", x.ID), nil)
		r.Header.Set("X-Auth-Token", sim.Token)
		w := httptest.NewRecorder()
		sim.ServeHTTP(w, r)
		var list []struct {
			Status     string
			Completion float64
		}
		json.Unmarshal(w.Body.Bytes(), &list)
		running, last := 0, 0.0
		for i, c := range list {
			switch c.Status {
			case "in progress":
				running++
			case "complete":
				if running > 0 || c.Completion < last {
					t.Fatalf("command %d of session %d has overtaken one before it", i+1, x.ID)
				}
				last = c.Completion
			}
		}
		if running > 1 {
			t.Fatalf("%d commands of session %d run at once", running, x.ID)
		}
	}
}

// TestManyClientsAtOnce is for the race detector, and for requests that end
// whatever goes wrong around them.
func TestManyClientsAtOnce(t *testing.T) {
	cfg := fast
	cfg.Sensors, cfg.Slots = 8, 6
	cfg.Faults = edrsim.Faults{"500": 0.05, "502": 0.05, "lost-answer": 0.05, "reset": 0.05, "truncated": 0.05, "session-drop": 0.02, "slow": 0.02, "hang": 0.01}
	c := start(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var clients sync.WaitGroup
	for id := 1; id <= 8; id++ {
		clients.Go(func() {
			for range 15 {
				one, stop := context.WithTimeout(ctx, 500*time.Millisecond)
				_, body, _ := c.try(one, "POST", "/api/v1/cblr/session?wait=true", fmt.Sprintf(`{"sensor_id": %d}`, id))
				var s struct{ ID int }
				json.Unmarshal([]byte(body), &s)
				path := fmt.Sprintf("/api/v1/cblr/session/%d", s.ID)
				c.try(one, "POST", path+"/command", `{"name": "process list"}`)
				c.try(one, "GET", path+"/command/1?wait=true", "")
				c.try(one, "GET", path+"/archive", "")
				c.try(one, "GET", "/api/v2/sensor?sort.col=last_checkin_time", "")
				c.try(one, "GET", "/_sim/state", "")
				c.try(one, "PUT", path, `{"status": "close"}`)
				stop()
			}
		})
	}
	clients.Wait()
	if n := c.sim.Counters(); n.Sessions.Peak > 6 || n.Commands == 0 {
		t.Errorf("counters = %+v", n.Sessions)
	}
}
