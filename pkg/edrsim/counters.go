package edrsim

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// Counters is what a server has seen, as /_sim/counters gives it.
type Counters struct {
	Sessions   SessionCounters  `json:"sessions"`
	Requests   map[string]int64 `json:"requests"` // by route
	Commands   int64            `json:"commands"` // executed by sensors
	Duplicates int64            `json:"duplicates"`
	Executions []Execution      `json:"executions"`
	Faults     map[string]int64 `json:"faults"` // injected, by name
}

// SessionCounters counts Live Response sessions.
type SessionCounters struct {
	Opened   int64 `json:"opened"`
	Open     int   `json:"open"` // pending and active ones now
	Peak     int   `json:"peak"` // the most at once
	Refused  int64 `json:"refused"`
	Closed   int64 `json:"closed"`
	TimedOut int64 `json:"timed_out"`
}

// Execution counts how often a sensor has executed a command on an object.
type Execution struct {
	SensorID int    `json:"sensor_id"`
	Command  string `json:"command"`
	Object   string `json:"object"`
	Count    int64  `json:"count"`
}

// Mutating reports whether a command changes its endpoint: executing such a one
// twice counts as a duplicate.
func Mutating(command string) bool {
	switch command {
	case "get file", "directory list", "process list", "reg enum key", "reg query value":
		return false
	default:
		return true
	}
}

// maxExecutions bounds the distinct executions that are remembered; later ones are
// only counted in Commands.
const maxExecutions = 100_000

type execKey struct {
	sensor          int
	command, object string
}

// counters collects; it has a lock of its own, since requests are counted outside
// the server's.
type counters struct {
	mu       sync.Mutex
	sessions SessionCounters
	requests map[string]int64
	commands int64
	execs    map[execKey]int64
	faults   map[string]int64
}

func newCounters() *counters {
	c := &counters{}
	c.reset()
	return c
}

// reset forgets everything but the sessions that are open.
func (c *counters) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := c.sessions.Open
	c.sessions = SessionCounters{Open: open, Peak: open}
	c.commands = 0
	c.requests, c.execs, c.faults = map[string]int64{}, map[execKey]int64{}, map[string]int64{}
}

func (c *counters) request(pattern, method string) {
	if pattern == "" {
		pattern = method + " (no such route)"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[pattern]++
}

func (c *counters) executed(sensor int, command, object string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commands++
	k := execKey{sensor, command, object}
	if _, known := c.execs[k]; known || len(c.execs) < maxExecutions {
		c.execs[k]++
	}
}

func (c *counters) sessionOpened(open int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions.Opened++
	c.sessions.Open = open
	c.sessions.Peak = max(c.sessions.Peak, open)
}

func (c *counters) sessionEnded(status string, open int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions.Open = open
	if status == sessionTimeout {
		c.sessions.TimedOut++
	} else {
		c.sessions.Closed++
	}
}

func (c *counters) refused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions.Refused++
}

func (c *counters) fault(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[name]++
}

func (c *counters) snapshot() Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := Counters{Sessions: c.sessions, Requests: maps.Clone(c.requests), Commands: c.commands, Executions: []Execution{}, Faults: maps.Clone(c.faults)}
	for k, n := range c.execs {
		out.Executions = append(out.Executions, Execution{k.sensor, k.command, k.object, n})
		if Mutating(k.command) {
			out.Duplicates += n - 1
		}
	}
	slices.SortFunc(out.Executions, func(a, b Execution) int {
		return cmp.Or(cmp.Compare(a.SensorID, b.SensorID), cmp.Compare(a.Command, b.Command), cmp.Compare(a.Object, b.Object))
	})
	return out
}

// Counters returns the counts since the start.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	s.settle(s.clock.now())
	s.mu.Unlock()
	return s.counters.snapshot()
}

// ResetCounters starts counting anew.
func (s *Server) ResetCounters() {
	s.mu.Lock()
	s.settle(s.clock.now())
	s.mu.Unlock()
	s.counters.reset()
}
