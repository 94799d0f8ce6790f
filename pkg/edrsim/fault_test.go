package edrsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/edrsim"
)

// try sends a request that may fail in any way.
func (c *client) try(ctx context.Context, method, path, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.sim.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("X-Auth-Token", c.sim.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestEachFault(t *testing.T) {
	const post = `{"name": "delete file", "object": "C:\\test.txt"}`
	for _, tc := range []struct {
		fault    string
		executed bool
		check    func(status int, body string, err error) bool
	}{
		{"500", false, func(status int, _ string, _ error) bool { return status == 500 }},
		{"502", false, func(status int, _ string, _ error) bool { return status == 502 }},
		{"503", false, func(status int, _ string, _ error) bool { return status == 503 }},
		{"504", false, func(status int, _ string, _ error) bool { return status == 504 }},
		{"error-message", false, func(status int, body string, _ error) bool {
			return status == 200 && strings.Contains(body, "errorMessage")
		}},
		{"hang", false, func(_ int, _ string, err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{"lost-answer", true, func(status int, _ string, err error) bool { return status == 504 || err != nil }},
		{"reset", true, func(_ int, _ string, err error) bool { return err != nil }},
		{"session-drop", false, func(status int, body string, _ error) bool {
			return status == 404 && strings.HasPrefix(body, "Session ")
		}},
		{"slow", true, func(status int, body string, err error) bool {
			return status == 200 && json.Valid([]byte(body)) && err == nil
		}},
		{"truncated", true, func(status int, body string, err error) bool {
			return status == 200 && !json.Valid([]byte(body)) && err == nil
		}},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			c := start(t, fast)
			s := c.open(1)
			if err := c.sim.FailNext(tc.fault, "POST", "/command"); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			if tc.fault == "hang" {
				ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
			}
			defer cancel()
			status, body, err := c.try(ctx, "POST", s+"/command", post)
			if !tc.check(status, body, err) {
				t.Errorf("answer: %d %q %v", status, body, err)
			}
			if tc.executed {
				c.get(s + "/command/1?wait=true")
			}
			n := c.sim.Counters()
			if n.Faults[tc.fault] != 1 || n.Commands != map[bool]int64{true: 1}[tc.executed] {
				t.Errorf("faults %v, commands %d", n.Faults, n.Commands)
			}
		})
	}
}

// TestFaultsComeFromTheSeed asks twice for the same paths in different order.
func TestFaultsComeFromTheSeed(t *testing.T) {
	statuses := func(seed uint64, order []int) string {
		cfg := fast
		cfg.Seed, cfg.Sensors = seed, 20
		cfg.Faults = edrsim.Faults{"500": 0.2, "502": 0.2, "503": 0.2}
		c := start(t, cfg)
		got := make([]string, 20)
		for _, id := range order {
			for range 3 {
				status, _, _ := c.try(t.Context(), "GET", fmt.Sprintf("/api/v1/sensor/%d", id+1), "")
				got[id] += fmt.Sprint(status, " ")
			}
		}
		return strings.Join(got, "")
	}
	up, down := make([]int, 20), make([]int, 20)
	for i := range up {
		up[i], down[19-i] = i, i
	}
	a, b := statuses(1, up), statuses(1, down)
	if a != b {
		t.Errorf("the same seed gave\n%s\nand\n%s", a, b)
	}
	if a == statuses(2, up) {
		t.Error("another seed gave the same")
	}
	for _, status := range []string{"200", "500", "502", "503"} {
		if n := strings.Count(a, status); n < 4 || n > 40 {
			t.Errorf("%s came %d times in 60", status, n)
		}
	}
}

func TestContentBreaksAnywhere(t *testing.T) {
	c := start(t, fast)
	c.sim.WriteFile(1, `C:\big.bin`, make([]byte, 3<<20))
	s := c.open(1)
	id := c.want(s, 0, m{"name": "get file", "object": `C:\big.bin`})["file_id"]
	path := fmt.Sprintf("%s/file/%v/content", s, id)
	if err := c.sim.SetFaults(edrsim.Faults{"reset": 1}); err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for range 12 {
		_, body, err := c.try(t.Context(), "GET", path, "")
		if err == nil || len(body) >= 3<<20 {
			t.Errorf("%d bytes without an error", len(body))
		}
		seen[len(body)/100_000] = true
	}
	if len(seen) < 4 {
		t.Errorf("it always breaks near the same place: %v", seen)
	}
}

// TestHangEndsWithTheServer would be found by goleak: a request that nobody
// answers does not outlive Close.
func TestHangEndsWithTheServer(t *testing.T) {
	c := start(t, fast)
	c.sim.SetFaults(edrsim.Faults{"hang": 1})
	done := make(chan error)
	go func() {
		_, _, err := c.try(context.WithoutCancel(t.Context()), "GET", "/api/info", "")
		done <- err
	}()
	for c.sim.Counters().Faults["hang"] == 0 {
		time.Sleep(time.Millisecond)
	}
	c.sim.Close()
	<-done
}

// TestInVirtualTime serves within a synctest bubble, over pipes in place of sockets:
// five minutes of waiting take none.
func TestInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := edrsim.New(edrsim.Config{Token: "t", Seed: 1})
		l := newPipeListener()
		done := make(chan error, 1)
		go func() { done <- sim.Serve(l) }()
		hc := &http.Client{Transport: &http.Transport{DialContext: l.dial}}
		begin := time.Now()
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://sim/api/v1/cblr/session?wait=true", strings.NewReader(`{"sensor_id": 1}`))
		req.Header.Set("X-Auth-Token", "t")
		resp, err := hc.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var s m
		json.NewDecoder(resp.Body).Decode(&s)
		resp.Body.Close()
		if took := time.Since(begin); s["status"] != "active" || took <= 0 || took > 33*time.Second {
			t.Errorf("after %v the session is %v", took, s["status"])
		}
		hc.CloseIdleConnections()
		sim.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
