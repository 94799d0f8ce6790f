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

// clockProxy is a TCP proxy to a NATS server. It adds an offset to the server time in the
// answers to stream info requests.
type clockProxy struct {
	addr   string
	offset atomic.Int64 // time.Duration
	to     string

	ends  sync.WaitGroup
	mu    sync.Mutex
	conns []net.Conn
}

func newClockProxy(t *testing.T, to string) *clockProxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &clockProxy{addr: l.Addr().String(), to: to}
	p.ends.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.ends.Go(func() { p.forward(c) })
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

// forward copies the bytes of one connection in both directions.
func (p *clockProxy) forward(client net.Conn) {
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		_ = client.Close() // the client sees a closed connection
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
		if _, failed := client.Write(p.shift(buffer[:n])); err != nil || failed != nil {
			_ = client.Close()
			return
		}
	}
}

// serverTime matches the server time in an answer to a stream info request. The fraction of
// the second is not replaced, so the answer keeps its length.
var serverTime = regexp.MustCompile(`"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)

// shift adds the offset to each server time in the bytes of an answer.
func (p *clockProxy) shift(answer []byte) []byte {
	offset := time.Duration(p.offset.Load())
	return serverTime.ReplaceAllFunc(answer, func(b []byte) []byte {
		const form = `"ts":"2006-01-02T15:04:05`
		t, err := time.Parse(form, string(b))
		if err != nil {
			return b
		}
		return []byte(t.Add(offset).Format(form))
	})
}
