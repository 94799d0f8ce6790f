// Package natsd runs a NATS server with JetStream inside the process: the bus of
// a single machine. It is the only package that imports nats-server.
//
// The server has no listener unless one is configured; clients in the process
// connect through InProcessConn. Its store directory is locked, because two servers
// on one directory both acknowledge writes and lose most of them.
package natsd

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"

	"edrpipe/internal/diskspace"
)

// Config of an embedded server.
type Config struct {
	Dir     string        // store directory, created when missing; required
	Listen  string        // host:port for clients in other processes; empty: none
	User    string        // for Listen: a user with all rights in the service's account; empty: operator
	Pass    string        // of User; empty: no such user
	Ingest  string        // for Listen: password of the user ingest, who may publish events; empty: no such user
	Reader  string        // for Listen: password of the user reader, who gets results; empty: no such user
	Sync    time.Duration // interval of flushing the store to disk; 0: at each write, so that a power cut loses no acknowledged write
	MaxDisk int64         // bytes that all streams together may take; 0: 8 GiB
	Ready   time.Duration // how long a start may take; 0: 30 s
	Cluster *Cluster      // nil: a server on its own
	Log     zerolog.Logger
}

// Cluster makes a server one of several that replicate the streams. Clients reach each
// at its own Listen; the addresses of the others are not advertised.
type Cluster struct {
	Node   string   // this server's name in the cluster
	Listen string   // host:port for the other servers
	Routes []string // host:port of all servers' Listen
}

// ErrLocked: another process runs on the store directory.
var ErrLocked = errors.New("the store directory is in use by another process")

// ErrDiskFull: the store's disk has no room even to start.
var ErrDiskFull = errors.New("the disk is full: make room, or give the store another disk")

// LeastFree is what a server needs to open its store.
const LeastFree = 1 << 20

// Server is a running embedded NATS server.
type Server struct {
	conf Config
	opts *server.Options
	lock *flock.Flock

	owner owner

	mu sync.RWMutex
	ns *server.Server // another one after Restart

	broken *atomic.Bool // a stream has given up writing
}

// Start starts a server and returns when clients can connect.
func Start(c Config) (*Server, error) {
	if c.User == "" {
		c.User = operatorUser
	}
	if slices.Contains(users, c.User) {
		return nil, fmt.Errorf("bus user %q has a meaning of its own: choose another name", c.User)
	}
	if c.Listen != "" && c.Pass+c.Ingest+c.Reader == "" {
		return nil, errors.New("a bus that listens needs the password of at least one user")
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("bus store: %w", err)
	}
	lock := flock.New(filepath.Join(c.Dir, "lock"))
	switch ok, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock bus store %s: %w", c.Dir, err)
	case !ok:
		return nil, fmt.Errorf("bus store %s: %w", c.Dir, ErrLocked)
	}
	s, err := start(c, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return s, nil
}

func start(c Config, lock *flock.Flock) (*Server, error) {
	if left, err := diskspace.Free(c.Dir); err == nil && left < LeastFree {
		return nil, fmt.Errorf("bus store %s: %d bytes are left: %w", c.Dir, left, ErrDiskFull)
	}
	if err := adopt(c.Dir); err != nil {
		return nil, err
	}
	in := newOwner()
	opts, err := options(c, in)
	if err != nil {
		return nil, err
	}
	if err := free(c.Listen); err != nil {
		return nil, err
	}
	s := &Server{conf: c, opts: opts, lock: lock, owner: in, broken: new(atomic.Bool)}
	if s.ns, err = s.run(); err != nil {
		return nil, err
	}
	return s, nil
}

// free reports why an address cannot be listened on: the server itself would try on
// until its time is over.
func free(address string) error {
	if address == "" {
		return nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	return l.Close()
}

func (s *Server) run() (*server.Server, error) {
	ns, err := server.NewServer(s.opts.Clone())
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	why := new(atomic.Pointer[string])
	ns.SetLoggerV2(logger{s.conf.Log, s.broken, why}, false, false, false)
	ns.Start()
	ready := s.conf.Ready
	if ready == 0 {
		ready = 30 * time.Second
	}
	if !ns.ReadyForConnections(ready) {
		ns.Shutdown()
		ns.WaitForShutdown()
		return nil, fmt.Errorf("bus on %s is not ready after %v%s", s.conf.Dir, ready, cause(why))
	}
	if tcp, ok := ns.Addr().(*net.TCPAddr); ok {
		s.opts.Port = tcp.Port // a port that the system chose stays the same after a restart
	}
	return ns, nil
}

// cause is the error that the server has logged last.
func cause(why *atomic.Pointer[string]) string {
	if text := why.Load(); text != nil {
		return ": " + *text
	}
	return ""
}

// Broken reports whether a stream has had a disk error since the start. Such a stream
// drops all writes without an answer until the server is restarted.
func (s *Server) Broken() bool { return s.broken.Load() }

// Restart ends the server and starts it anew on the same store; clients connect
// again by themselves.
func (s *Server) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
	s.broken.Store(false)
	ns, err := s.run()
	if err != nil {
		return err
	}
	s.ns = ns
	return nil
}

func (s *Server) current() *server.Server {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.ns
}

func options(c Config, in owner) (*server.Options, error) {
	o := &server.Options{}
	if err := zones(c, in, o); err != nil {
		return nil, err
	}
	base(c, o)
	if c.Listen == "" {
		return o, nil
	}
	return o, listen(c, o)
}

// base sets what every embedded server has.
func base(c Config, o *server.Options) {
	o.ServerName = "edrpipe"
	o.JetStream = true
	o.StoreDir = c.Dir
	o.JetStreamMaxStore = c.MaxDisk
	o.JetStreamMaxMemory = 256 << 20
	o.SyncInterval = c.Sync
	o.SyncAlways = c.Sync == 0
	o.DontListen = c.Listen == ""
	o.NoSigs = true
	o.NoLog = false
	o.MaxPayload = 8 << 20
	if o.JetStreamMaxStore == 0 {
		o.JetStreamMaxStore = 8 << 30
	}
	if c.Sync == 0 {
		o.SyncInterval = 2 * time.Minute // only for what SyncAlways leaves
	}
}

// listen opens o's server to other processes.
func listen(c Config, o *server.Options) error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("bus listen address %q: %w", c.Listen, err)
	}
	if o.Port, err = net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("bus listen address %q: %w", c.Listen, err)
	}
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	o.Host = host
	if c.Cluster != nil {
		return c.Cluster.join(c, o)
	}
	return nil
}

// join makes o's server a member of the cluster. The servers authenticate to each
// other as the user that conf names.
func (c *Cluster) join(conf Config, o *server.Options) error {
	user, password := conf.User, conf.Pass
	if password == "" {
		return errors.New("a bus of several servers needs User and Pass, by which they know each other")
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("bus cluster address %q: %w", c.Listen, err)
	}
	o.ServerName = c.Node
	o.Cluster = server.ClusterOpts{Name: "edrpipe", Host: host, Username: user, Password: password, NoAdvertise: true}
	if o.Cluster.Port, err = net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("bus cluster address %q: %w", c.Listen, err)
	}
	for _, r := range c.Routes {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: r, User: url.UserPassword(user, password)})
	}
	return nil
}

// InProcessConn gives a client connection without a socket; it makes Server a
// nats.InProcessConnProvider. The client authenticates as InProcessUser.
func (s *Server) InProcessConn() (net.Conn, error) { return s.current().InProcessConn() }

// URL is where clients in other processes connect; empty when it does not listen.
func (s *Server) URL() string {
	ns := s.current()
	if ns.Addr() == nil {
		return ""
	}
	return ns.ClientURL()
}

// Close stops the server, waits for its end and gives the directory free.
func (s *Server) Close() error {
	ns := s.current()
	ns.Shutdown()
	ns.WaitForShutdown()
	return s.lock.Unlock()
}

// logger forwards the server's log to the service's log. It is the only source for the
// failure of a stream.
type logger struct {
	log    zerolog.Logger
	broken *atomic.Bool
	last   *atomic.Pointer[string] // error
}

func (l logger) Noticef(format string, v ...any) { l.log.Debug().Msgf(format, v...) }
func (l logger) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Plaintext passwords") { // they are in no file of the server's
		return
	}
	l.log.Warn().Msgf(format, v...)
}
func (l logger) Fatalf(format string, v ...any) { l.Errorf(format, v...) }
func (l logger) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.last.Store(&text)
	if strings.Contains(strings.ToLower(text), "critical write error") {
		l.broken.Store(true)
	}
	l.log.Error().Msg(text)
}
func (l logger) Debugf(format string, v ...any) { l.log.Debug().Msgf(format, v...) }
func (l logger) Tracef(format string, v ...any) { l.log.Trace().Msgf(format, v...) }

// Free returns how many bytes the disk under the store has left for this user.
func (s *Server) Free() (uint64, error) { return diskspace.Free(s.conf.Dir) }
