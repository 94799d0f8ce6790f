package edrsim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Server is a simulated EDR server. It is an http.Handler; Start gives it a
// listener of its own.
type Server struct {
	URL         string // set by Start and StartTLS: the base URL, without a slash at its end
	Token       string // of the X-Auth-Token header
	Fingerprint string // set by StartTLS: SHA-256 of the certificate, in hex

	cfg    Config
	as     *behaviour
	clock  *clock
	spool  spool
	faults *faultInjector
	mux    *http.ServeMux

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	http   *http.Server
	served sync.WaitGroup

	mu       sync.Mutex // guards all that follows, and what it refers to
	changed  chan struct{}
	sensors  []*sensor // by id, from 1
	sessions map[int]*session
	live     []*session
	ended    []*session // oldest first
	lastID   int
	bans     map[string]*ban
	renewed  atomic.Bool       // a licence was uploaded; needs no lock
	alerts   map[string]object // of an EDR server, by id
	binaries map[string]object // of an EDR server, by lower-case MD5
	counters *counters

	cloud *cloud // of KindCloud, or nil
}

// New makes a server. A configuration that Config.Validate refuses is a mistake of
// the program and panics.
func New(cfg Config) *Server {
	if err := cfg.Validate(); err != nil {
		panic("edrsim: " + err.Error())
	}
	cfg = cfg.withDefaults()
	s := &Server{
		Token: cfg.Token, cfg: cfg, clock: newClock(cfg.Start, cfg.TimeScale), spool: spool{cfg.SpoolDir, cfg.SpoolAbove},
		changed: make(chan struct{}), sessions: map[int]*session{}, bans: map[string]*ban{}, alerts: map[string]object{}, binaries: map[string]object{}, counters: newCounters(),
	}
	if cfg.Kind == KindCloud {
		s.as = cloudBehaviour()
		s.cloud = newCloud(s)
	} else {
		s.as, _ = newBehaviour(cfg.Version, cfg.Quirks) // validated above
	}
	s.faults = newFaultInjector(cfg.Faults, cfg.Seed)
	s.ctx, s.cancel = context.WithCancel(context.Background()) // the server's own life, ended by Close
	for i := range cfg.Fleet {
		for range max(cfg.Fleet[i].Count, 1) {
			s.sensors = append(s.sensors, newSensor(len(s.sensors)+1, &cfg.Fleet[i], &cfg))
		}
	}
	if s.cloud != nil {
		s.mux = s.cloud.routes()
		s.cloud.begin()
		return s
	}
	s.mux = s.routes()
	return s
}

// Start serves on a free loopback port and sets URL. It panics when there is
// none, as httptest does.
func (s *Server) Start() *Server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Sprintf("edrsim: listen on loopback: %v", err))
	}
	s.URL = "http://" + l.Addr().String()
	s.served.Go(func() { s.Serve(l) })
	return s
}

// StartTLS is Start with a self-signed certificate; see Fingerprint.
func (s *Server) StartTLS() *Server {
	cert, err := SelfSigned()
	if err != nil {
		panic(fmt.Sprintf("edrsim: %v", err))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Sprintf("edrsim: listen on loopback: %v", err))
	}
	s.URL = "https://" + l.Addr().String()
	s.Fingerprint = Fingerprint(cert)
	s.served.Go(func() { s.Serve(tls.NewListener(l, TLSConfig(cert))) })
	return s
}

// Serve answers requests on l until Close; it then returns nil.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.http == nil {
		s.http = &http.Server{Handler: s, ReadHeaderTimeout: 30 * time.Second, BaseContext: func(net.Listener) context.Context { return s.ctx }}
	}
	srv := s.http
	s.mu.Unlock()
	if s.ctx.Err() != nil {
		l.Close()
		return nil
	}
	err := srv.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends all requests and waits for the listener of Start.
func (s *Server) Close() {
	s.cancel()
	s.mu.Lock()
	srv := s.http
	s.mu.Unlock()
	if srv != nil {
		srv.Close()
	}
	s.served.Wait()
}

// Describe sums the fleet up in a line.
func (s *Server) Describe() string {
	n := map[string]int{}
	for _, x := range s.sensors {
		n[x.os()]++
	}
	var kinds []string
	for _, os := range []string{osWindows, osLinux, osMac} {
		if n[os] > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", n[os], os))
		}
	}
	return fmt.Sprintf("%d (%s), checking in every %v", len(s.sensors), strings.Join(kinds, ", "), s.cfg.CheckIn)
}

// Now is the simulated time.
func (s *Server) Now() time.Time { return s.clock.now() }

// Advance moves the simulated clock ahead at once.
func (s *Server) Advance(d time.Duration) {
	s.clock.advance(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(s.clock.now())
	s.notify()
}

// SetPower switches a sensor on or off; its schedule counts no more.
func (s *Server) SetPower(sensorID int, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, now, err := s.sensorNow(sensorID)
	if err != nil {
		return err
	}
	x.advance(now)
	x.setPower(on, now)
	s.notify()
	return nil
}

// ReadFile gives the content of a file on a sensor's computer.
func (s *Server) ReadFile(sensorID int, path string) ([]byte, error) {
	s.mu.Lock()
	x, now, err := s.sensorNow(sensorID)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	n, f := x.computer(now).file(path)
	s.mu.Unlock()
	if f != success || n.dir {
		return nil, fmt.Errorf("read %q on %v: %w", path, x, os.ErrNotExist)
	}
	return io.ReadAll(n.data.reader())
}

// WriteFile puts a file on a sensor's computer, with the directories above it.
func (s *Server) WriteFile(sensorID int, path string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, now, err := s.sensorNow(sensorID)
	if err != nil {
		return err
	}
	if f := x.computer(now).place(path, bytesBlob(slices.Clone(data)), false, now); f != success {
		return fmt.Errorf("write %q on %v: %w", path, x, os.ErrInvalid)
	}
	return nil
}

// sensor finds one by id. Callers hold mu.
func (s *Server) sensor(id int) (*sensor, error) {
	if id < 1 || id > len(s.sensors) {
		return nil, &apiError{http.StatusNotFound, fmt.Sprintf("Sensor %d not found", id)}
	}
	return s.sensors[id-1], nil
}

// sensorNow finds one by id once all sessions are played up to now. Callers hold mu.
func (s *Server) sensorNow(id int) (*sensor, time.Time, error) {
	x, err := s.sensor(id)
	if err != nil {
		return nil, time.Time{}, err
	}
	now := s.clock.now()
	s.settle(now)
	return x, now, nil
}

// settle plays all sessions up to now. Callers hold mu.
func (s *Server) settle(now time.Time) {
	for _, x := range slices.Clone(s.live) {
		x.settle(now)
	}
	s.forget(now)
}

// sessionEnded takes a session out of the slots and keeps it as history.
func (s *Server) sessionEnded(x *session) {
	s.live = slices.DeleteFunc(s.live, func(y *session) bool { return x == y })
	s.ended = append(s.ended, x)
	s.counters.sessionEnded(x.status, len(s.live))
}

// forget drops sessions whose storage time is over.
func (s *Server) forget(now time.Time) {
	n := max(0, len(s.ended)-maxHistory)
	for n < len(s.ended) && now.Sub(s.ended[n].ended) > storageTTL {
		n++
	}
	for _, x := range s.ended[:n] {
		delete(s.sessions, x.id)
	}
	s.ended = slices.Delete(s.ended, 0, n)
}

// notify wakes the requests that wait for a change. Callers hold mu.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await blocks until done, called with mu held, reports true, at most for the proxy's
// time-out. The error is the cause of another end.
func (s *Server) await(ctx context.Context, x *session, done func() bool) error {
	limit := s.clock.now().Add(s.as.waitLimit())
	for {
		s.mu.Lock()
		now := s.clock.now()
		x.settle(now)
		if done() {
			s.mu.Unlock()
			return nil
		}
		wake, changed := limit, s.changed
		if x.alive() && x.wakeAt().Before(limit) {
			wake = x.wakeAt()
		}
		s.mu.Unlock()
		if !now.Before(limit) {
			return &apiError{http.StatusGatewayTimeout, gatewayPage(http.StatusGatewayTimeout)}
		}
		s.clock.waitUntil(ctx, wake, changed)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
