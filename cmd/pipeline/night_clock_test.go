package main

import (
	"io"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// latePath is a way to a NATS server on which the time that the server tells of a stream
// is another one.
type latePath struct {
	addr string
	by   atomic.Int64 // time.Duration that is added
	to   string

	ends  sync.WaitGroup
	mu    sync.Mutex
	conns []net.Conn
}

func newLatePath(t *testing.T, to string) *latePath {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &latePath{addr: l.Addr().String(), to: to}
	p.ends.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.ends.Go(func() { p.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // nothing can be done about it
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.ends.Wait()
	})
	return p
}

// carry carries what one client and the server say to each other.
func (p *latePath) carry(client net.Conn) {
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		_ = client.Close() // the client sees that nobody answers
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, client, server)
	p.mu.Unlock()
	p.ends.Go(func() {
		_, _ = io.Copy(server, client) // it ends when either side does
		_ = server.Close()
	})
	buffer := make([]byte, 1<<20)
	for {
		n, err := server.Read(buffer)
		if _, failed := client.Write(p.change(buffer[:n])); err != nil || failed != nil {
			_ = client.Close()
			return
		}
	}
}

// told is the time in the server's answer to a question for a stream; the fraction of the
// second stays what it was, so that the answer has the same length.
var told = regexp.MustCompile(`"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)

func (p *latePath) change(said []byte) []byte {
	by := time.Duration(p.by.Load())
	return told.ReplaceAllFunc(said, func(b []byte) []byte {
		const form = `"ts":"2006-01-02T15:04:05`
		t, err := time.Parse(form, string(b))
		if err != nil {
			return b
		}
		return []byte(t.Add(by).Format(form))
	})
}
