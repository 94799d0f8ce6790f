package main

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// door stands before a simulated EDR server, and can be shut, be silent, or answer in
// the server's place.
type door struct {
	t      *testing.T
	inner  http.Handler
	secure bool

	mu      sync.Mutex
	server  *httptest.Server // nil: shut
	addr    string
	cert    *tls.Certificate
	instead func(http.ResponseWriter, *http.Request) bool // true: it has answered; nil: the server answers
	changed chan struct{}                                 // closed when instead changes
}

func newDoor(t *testing.T, inner http.Handler, cert *tls.Certificate) *door {
	d := &door{t: t, inner: inner, cert: cert, secure: cert != nil, addr: "127.0.0.1:0", changed: make(chan struct{})}
	d.open()
	t.Cleanup(d.shut)
	return d
}

func (d *door) url() string {
	if d.secure {
		return "https://" + d.addr
	}
	return "http://" + d.addr
}

func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, err := net.Listen("tcp", d.addr)
	if err != nil {
		d.t.Error(err)
		return
	}
	d.addr = l.Addr().String()
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: d, ErrorLog: log.New(io.Discard, "", 0)}}
	if d.secure {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.cert, nil
		}}
		s.TLS.Certificates = []tls.Certificate{*d.cert}
		s.StartTLS()
		s.TLS.Certificates = nil
	} else {
		s.Start()
	}
	d.server = s
}

// shut ends every connection and takes no more.
func (d *door) shut() {
	d.answer(nil)
	d.mu.Lock()
	s := d.server
	d.server = nil
	d.mu.Unlock()
	if s != nil {
		s.CloseClientConnections()
		s.Close()
	}
}

// show lets every further connection see another certificate.
func (d *door) show(c *tls.Certificate) {
	d.mu.Lock()
	d.cert = c
	s := d.server
	d.mu.Unlock()
	s.CloseClientConnections()
}

// answer has requests answered by another; nil: by the server again.
func (d *door) answer(instead func(http.ResponseWriter, *http.Request) bool) {
	d.mu.Lock()
	d.instead = instead
	close(d.changed)
	d.changed = make(chan struct{})
	d.mu.Unlock()
}

// refuse answers requests whose path contains a text with a status.
func (d *door) refuse(part string, status int, body string) {
	d.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, part) {
			return false
		}
		http.Error(w, body, status)
		return true
	})
}

// hang answers no request until something else is asked of the door.
func (d *door) hang() {
	d.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		d.mu.Lock()
		changed := d.changed
		d.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
		}
		return true
	})
}

// ServeHTTP implements http.Handler.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	instead := d.instead
	d.mu.Unlock()
	if instead == nil || !instead(w, r) {
		d.inner.ServeHTTP(w, r)
	}
}
