package outputs

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"edrpipe/internal/selfsigned"
)

var two = []Message{{ID: "1", Time: time.Unix(1, 5e6), Body: []byte(`{"n":1}`)}, {ID: "2", Time: time.Unix(2, 0), Body: []byte(`{"n":2}`)}}

func TestHTTP(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int
		refused bool
		failed  bool
	}{
		"taken": {status: 200}, "accepted": {status: 202}, "nothing to say": {status: 204},
		"bad request": {status: 400, refused: true}, "too large": {status: 413, refused: true}, "wrong type": {status: 415, refused: true}, "not understood": {status: 422, refused: true},
		"token": {status: 401, failed: true}, "slow down": {status: 429, failed: true}, "broken": {status: 500, failed: true}, "moved": {status: 304, failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if string(body) != `[{"n":1},{"n":2}]` || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "Bearer s3cret" {
					w.WriteHeader(http.StatusTeapot)
					return
				}
				w.WriteHeader(c.status)
			}))
			t.Cleanup(srv.Close)
			h := HTTP{URL: srv.URL, Type: "application/json", Client: &http.Client{Transport: &http.Transport{}}, Token: func() (string, error) { return "s3cret", nil }}
			err := h.Send(t.Context(), two)
			if (err != nil) != (c.refused || c.failed) || errors.Is(err, ErrRefused) != c.refused {
				t.Errorf("%v, want refused %v, failed %v", err, c.refused, c.failed)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows the token: %v", err)
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHTTPWithoutToken: a token that cannot be read sends nothing without it.
func TestHTTPWithoutToken(t *testing.T) {
	t.Parallel()
	asked := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	h := HTTP{URL: srv.URL, Client: &http.Client{Transport: &http.Transport{}}, Token: func() (string, error) { return "", os.ErrNotExist }}
	err := h.Send(t.Context(), two)
	srv.Close()
	if !errors.Is(err, os.ErrNotExist) || asked {
		t.Errorf("%v, and a request was made: %v", err, asked)
	}
}

// TestFile: lines are appended, also after a rotation, and a line that a crash left
// unfinished is ended.
func TestFile(t *testing.T) {
	t.Parallel()
	f := File{Path: filepath.Join(t.TempDir(), "new", "results.ndjson")}
	send := func() {
		t.Helper()
		if err := f.Send(t.Context(), two); err != nil {
			t.Fatal(err)
		}
	}
	want := func(text string) {
		t.Helper()
		data, err := os.ReadFile(f.Path)
		if err != nil || string(data) != text {
			t.Errorf("%q %v, want %q", data, err, text)
		}
	}
	both := "{\"n\":1}\n{\"n\":2}\n"
	send()
	send()
	want(both + both)
	if err := os.WriteFile(f.Path, []byte("{\"n\":1}\n{\"n"), 0o600); err != nil {
		t.Fatal(err)
	}
	send()
	want("{\"n\":1}\n{\"n\n" + both)
	if err := os.Rename(f.Path, f.Path+".1"); err != nil {
		t.Fatal(err)
	}
	send()
	want(both)
	if info, err := os.Stat(f.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := (File{Path: f.Path + "/below"}).Send(t.Context(), two); err == nil {
		t.Error("a file below a file was written")
	}
}

// collector is a syslog server that reads frames with their length before them.
type collector struct {
	net.Listener
	frames chan string
	mu     sync.Mutex
	conns  []net.Conn
}

func collect(t *testing.T, l net.Listener) *collector {
	c := &collector{Listener: l, frames: make(chan string, 100)}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.conns = append(c.conns, conn)
			c.mu.Unlock()
			all.Go(func() { c.read(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); c.hangUp(); all.Wait() })
	return c
}

func (c *collector) read(conn net.Conn) {
	r := bufio.NewReader(conn)
	for {
		length, err := r.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil {
			c.frames <- "no length: " + length
			return
		}
		line := make([]byte, n)
		if _, err := io.ReadFull(r, line); err != nil {
			return
		}
		c.frames <- string(line)
	}
}

// hangUp closes the connections that there are.
func (c *collector) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

func TestSyslog(t *testing.T) {
	t.Parallel()
	cert, err := selfsigned.New(selfsigned.Template{CommonName: "collector", NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	trust := x509.NewCertPool()
	trust.AddCert(leaf)
	for name, client := range map[string]*tls.Config{"plain": nil, "tls": {RootCAs: trust, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if client != nil {
				l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
			}
			c := collect(t, l)
			s := &Syslog{Address: l.Addr().String(), TLS: client, Host: "pipe"}
			for range 2 { // the second time over a connection that the server has closed
				if err := s.Send(t.Context(), two); err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{`<133>1 1970-01-01T00:00:01.005Z pipe edrpipe - - - {"n":1}`, `<133>1 1970-01-01T00:00:02Z pipe edrpipe - - - {"n":2}`} {
					select {
					case got := <-c.frames:
						if got != want {
							t.Errorf("%q, want %q", got, want)
						}
					case <-time.After(10 * time.Second):
						t.Fatalf("%q did not arrive", want)
					}
				}
				c.hangUp()
			}
			if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) && client == nil {
				t.Error(err)
			}
		})
	}
}

// TestSyslogFails: a server that is not there is an error, and with TLS one whose
// certificate is not trusted.
func TestSyslogFails(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	s := &Syslog{Address: address}
	if err := s.Send(t.Context(), two); err == nil {
		t.Error("no server listens, and Send succeeded")
	}
}

// TestS3: a batch is an object of lines; repeated it is the same object.
func TestS3(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	objects := map[string]string{}
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if status == http.StatusOK {
			objects[r.URL.Path] = string(body)
		}
		w.Header().Set("ETag", `"x"`)
		w.WriteHeader(status)
	}))
	t.Cleanup(srv.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := minio.New(strings.TrimPrefix(srv.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4("key", "secret", ""), Region: "us-east-1", Transport: transport, BucketLookup: minio.BucketLookupPath, MaxRetries: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := S3{Client: client, Bucket: "siem", Prefix: "edrpipe/"}
	for range 2 {
		if err := s.Send(t.Context(), two); err != nil {
			t.Fatal(err)
		}
	}
	if len(objects) != 1 {
		t.Fatalf("%v: want one object", objects)
	}
	for name, body := range objects {
		if !strings.HasPrefix(name, "/siem/edrpipe/1970/01/01/000001.005000000-") || !strings.Contains(body, "{\"n\":1}\n{\"n\":2}\n") {
			t.Errorf("%s: %q", name, body)
		}
	}
	mu.Lock()
	status = http.StatusForbidden
	mu.Unlock()
	if err := s.Send(t.Context(), two); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("%v: a bucket that forbids it is tried again", err)
	}
}
