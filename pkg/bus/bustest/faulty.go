package bustest

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"edrpipe/internal/natsd"
)

// A Fault is one call to the bus that fails: it is lost on its way there, or its answer on
// the way back.
type Fault struct {
	Call  string // as in Faulty.Calls
	Nth   int    // from 1
	After bool   // the bus has done what the call asked for
}

// Faulty is an embedded server whose clients' calls are counted, and of which one may
// fail. It is a bus.Config.InProcess.
type Faulty struct {
	*natsd.Server

	mu    sync.Mutex
	armed bool
	fault Fault
	calls map[string]int
	hit   bool
}

// ServeFaulty starts a server; nothing is counted before Arm.
func ServeFaulty(t testing.TB, c natsd.Config) *Faulty {
	t.Helper()
	return &Faulty{Server: Serve(t, c), calls: map[string]int{}}
}

// Arm begins to count calls, and has one of them fail.
func (f *Faulty) Arm(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.fault = true, fault
}

// Calls is how often each call was made: by the subject, with * for names that are drawn.
func (f *Faulty) Calls() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.calls)
}

// Hit reports whether the call that was to fail was made.
func (f *Faulty) Hit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

// InProcessConn implements nats.InProcessConnProvider.
func (f *Faulty) InProcessConn() (net.Conn, error) {
	conn, err := f.Server.InProcessConn()
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: conn, faulty: f}, nil
}

// faultyConn is a client's end of a connection.
type faultyConn struct {
	net.Conn
	faulty *Faulty
	text   []byte // an operation of which the end is still to come; of the client's one writer
}

// Write passes on whole operations.
func (c *faultyConn) Write(p []byte) (int, error) {
	c.text = append(c.text, p...)
	var out []byte
	for {
		n := operation(c.text)
		if n == 0 {
			break
		}
		out = append(out, c.faulty.pass(c.text[:n])...)
		c.text = c.text[n:]
	}
	if len(out) > 0 {
		if _, err := c.Conn.Write(out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

var end = []byte("\r\n")

// operation is the length of the first operation of the protocol; 0: it is not whole.
func operation(text []byte) int {
	line, _, whole := bytes.Cut(text, end)
	if !whole {
		return 0
	}
	n := len(line) + len(end)
	if fields := published(line); fields != nil {
		size, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil {
			return n
		}
		n += size + len(end)
	}
	if n > len(text) {
		return 0
	}
	return n
}

// published is the fields of an operation that publishes; nil: it is another one.
func published(line []byte) []string {
	if !bytes.HasPrefix(line, []byte("PUB ")) && !bytes.HasPrefix(line, []byte("HPUB ")) {
		return nil
	}
	return strings.Fields(string(line))
}

// pass counts an operation and gives what the server gets of it.
func (f *Faulty) pass(op []byte) []byte {
	line, rest, _ := bytes.Cut(op, end)
	fields := published(line)
	if fields == nil {
		return op
	}
	sizes := 1
	if fields[0] == "HPUB" {
		sizes = 2
	}
	answered := len(fields) == 3+sizes
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed {
		return op
	}
	call := callOf(fields[1])
	f.calls[call]++
	if call != f.fault.Call || f.calls[call] != f.fault.Nth {
		return op
	}
	f.hit = true
	switch {
	case !f.fault.After:
		return nil
	case answered:
		fields[2] = "faults.lost"
	}
	return fmt.Appendf(nil, "%s\r\n%s", strings.Join(fields, " "), rest)
}

// callOf is the subject with * for names that are drawn.
func callOf(subject string) string {
	tokens := strings.Split(subject, ".")
	if len(tokens) > 2 && tokens[1] == "ACK" {
		return "$JS.ACK"
	}
	for i, token := range tokens {
		if _, err := strconv.Atoi(token); err == nil || drawn(token) {
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, ".")
}

// drawn reports whether a token is a name that is another in each world: a key of a job, a
// consumer named by the server (8 characters) or by the client's library (22 of them and a
// count).
func drawn(token string) bool {
	name := drawnCount.ReplaceAllString(token, "")
	switch {
	case strings.ContainsAny(name, "_-$>*"):
		return false
	case len(name) == 8:
		return name != strings.ToLower(name) && name != strings.ToUpper(name)
	}
	return len(name) >= 16
}

var drawnCount = regexp.MustCompile(`_[0-9]+$`)
