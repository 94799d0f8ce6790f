//go:build linux

package chaos

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// tap is what a replica's traffic goes through, to the bus and to the EDR server,
// unchanged; at a crash point it kills the replica. That needs nothing of the
// replica: any build of it dies exactly there.
type tap struct {
	victim *process
	bus    []string // where it listens, by node

	mu    sync.Mutex
	look  func(out bool, m message) // sees each message of the bus; nil: nobody does
	armed *crashPoint
	skip  int           // matches to let pass before
	fired chan struct{} // closed when the victim is dead
	await string        // reply subject whose answer shall not arrive; empty: none
	last  bool          // the victim dies when the message at hand has been passed on
}

// arm kills the victim at the point, when it has passed it skip times; fired is
// closed then.
func (p *tap) arm(at *crashPoint, skip int) (fired <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed, p.skip, p.await, p.last, p.fired = at, skip, "", false, make(chan struct{})
	return p.fired
}

// disarm reports whether it came in time: the victim lives, and will.
func (p *tap) disarm() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	inTime := p.armed != nil
	p.armed, p.await, p.last = nil, "", false
	return inTime
}

// reached reports whether a message is where the victim has to die; p.mu is held.
func (p *tap) reached(matches func(*crashPoint) bool) bool {
	if p.armed == nil || p.await != "" || p.last || !matches(p.armed) {
		return false
	}
	p.skip--
	return p.skip < 0
}

// kill ends the victim; what it was sending or about to receive is lost. p.mu is held.
func (p *tap) kill() {
	p.armed, p.await, p.last = nil, "", false
	p.victim.Kill()
	close(p.fired)
}

// message is one of the NATS protocol: a line and, where it carries one, a payload.
type message struct {
	verb, subject, reply string
	header, body         []byte
	raw                  []byte
}

// readMessage reads the next one. The protocol is lines of text; only messages
// have a payload, whose size is the line's last word.
func readMessage(r *bufio.Reader) (m message, err error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return m, err
	}
	m.raw = line
	words := strings.Fields(string(line))
	if len(words) < 3 {
		return m, nil
	}
	switch m.verb = words[0]; m.verb {
	case "PUB", "HPUB", "MSG", "HMSG":
	default:
		return m, nil
	}
	m.subject = words[1]
	size, err := strconv.Atoi(words[len(words)-1])
	if err != nil {
		return m, err
	}
	middle := words[2 : len(words)-1] // [sid] [reply] [size of headers]
	header := 0
	if m.verb[0] == 'H' {
		if header, err = strconv.Atoi(middle[len(middle)-1]); err != nil {
			return m, err
		}
		middle = middle[:len(middle)-1]
	}
	if strings.HasSuffix(m.verb, "MSG") {
		middle = middle[1:]
	}
	if len(middle) > 0 {
		m.reply = middle[0]
	}
	payload := make([]byte, size+2)
	if _, err := io.ReadFull(r, payload); err != nil {
		return m, err
	}
	m.raw, m.header, m.body = append(line, payload...), payload[:header], payload[header:size]
	return m, nil
}

// listen taps one bus node, at an address of ours, until the test ends.
func (p *tap) listen(t testing.TB, address, node string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.serve(client, node) })
		}
	})
	t.Cleanup(func() { l.Close(); p.victim.Kill(); all.Wait() }) // a victim that lives keeps its connection
	p.bus = append(p.bus, l.Addr().String())
}

// serve carries one connection until either side ends it.
func (p *tap) serve(client net.Conn, node string) {
	defer client.Close()
	server, err := net.Dial("tcp", node)
	if err != nil {
		return
	}
	defer server.Close()
	var ways sync.WaitGroup
	carry := func(to, from net.Conn, see func(message) error) {
		defer to.Close()
		defer from.Close()
		for r := bufio.NewReader(from); ; {
			m, err := readMessage(r)
			if err != nil || see(m) != nil {
				return
			}
			if _, err := to.Write(m.raw); err != nil {
				return
			}
			p.passed()
		}
	}
	ways.Go(func() { carry(server, client, p.outgoing) })
	ways.Go(func() { carry(client, server, p.incoming) })
	ways.Wait()
}

var errDied = errors.New("the victim died")

// outgoing looks at what the victim sends.
func (p *tap) outgoing(m message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.look != nil {
		p.look(true, m)
	}
	if !p.reached(func(c *crashPoint) bool { return c.sends != nil && c.sends(m) }) {
		return nil
	}
	if p.armed.answered {
		p.await, p.last = m.reply, m.reply == ""
		return nil
	}
	p.kill()
	return errDied
}

// passed ends a victim whose message asks for no answer.
func (p *tap) passed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last {
		p.kill()
	}
}

// incoming looks at what the victim is about to receive.
func (p *tap) incoming(m message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.look != nil {
		p.look(false, m)
	}
	answer := p.await != "" && m.subject == p.await
	if !answer && !p.reached(func(c *crashPoint) bool { return c.receives != nil && c.receives(m) }) {
		return nil
	}
	p.kill()
	return errDied
}

// before taps the requests to an EDR server, at a URL of its own.
func (p *tap) before(t testing.TB, next http.Handler) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		here := p.reached(func(c *crashPoint) bool { return c.asks != nil && c.asks(r) })
		after := here && p.armed.answered
		if here && !after {
			p.kill()
		}
		p.mu.Unlock()
		if here && !after {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
		if after { // the answer is still in our buffer
			p.mu.Lock()
			if p.armed != nil {
				p.kill()
			}
			p.mu.Unlock()
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// record reports whether a message writes a job's record that says all of these.
func record(says ...string) func(message) bool {
	return func(m message) bool {
		if !strings.HasPrefix(m.subject, "$KV.jobs.") {
			return false
		}
		for _, s := range says {
			if !bytes.Contains(m.body, []byte(s)) {
				return false
			}
		}
		return true
	}
}
