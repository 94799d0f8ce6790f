package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/connlimit"
	"edrpipe/internal/health"
)

// Config of the web listener.
type Config struct {
	Listen string // host:port
	Cert   string // certificate file; turns TLS on
	Key    string
	Users  *UsersFile
	OIDC   *OIDC            // nil: tokens only
	Now    func() time.Time // nil: time.Now

	Connections int // open at a time; 0: connlimit.DefaultConnections
	PerAddress  int // of them from one address; 0: connlimit.DefaultPerAddress

	Routes  []Route                              // of the pages
	Ready   func(context.Context) []health.Check // of all that has to work
	Metrics http.Handler
	Ingest  http.Handler // has its own token; nil: off
	Log     zerolog.Logger
}

// Server is the web listener.
type Server struct {
	cfg      Config
	auth     *auth
	listener net.Listener
	http     *http.Server
	calls    []Route
	overBus  http.Handler // the calls, for Call

	organisation *organisation // nil: tokens only
}

// Listen opens the listener; Serve answers on it.
func Listen(c Config) (*Server, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	l = connlimit.New(l, connlimit.Config{Connections: c.Connections, PerAddress: c.PerAddress, Log: c.Log})
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("web certificate: %w", err), l.Close())
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	}
	// Behind a proxy that ends TLS the address for the issuer tells that it does.
	secure := c.Cert != "" || c.OIDC != nil && strings.HasPrefix(c.OIDC.Redirect, "https:")
	s := &Server{cfg: c, listener: l, auth: newAuth(c.Users.Current, secure, c.Now)}
	if c.OIDC != nil {
		s.organisation = &organisation{OIDC: *c.OIDC}
	}
	s.calls = append(slices.Clone(c.Routes), whoAmI())
	s.overBus = s.callRoutes()
	s.http = &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: headerWithin, ReadTimeout: readWithin, WriteTimeout: writeWithin, IdleTimeout: idleWithin,
		MaxHeaderBytes: maxHeader, ErrorLog: log.New(serverLog{c.Log}, "", 0),
	}
	return s, nil
}

// URL is where the server answers.
func (s *Server) URL() string {
	scheme := "http://"
	if s.cfg.Cert != "" {
		scheme = "https://"
	}
	return scheme + s.listener.Addr().String()
}

// Serve answers until ctx ends, then lets requests under way end for a moment.
func (s *Server) Serve(ctx context.Context) error {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx }
	ended := make(chan error, 1)
	go func() { ended <- s.http.Serve(s.listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("web: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if s.http.Shutdown(last) != nil {
		_ = s.http.Close() // what has not ended by now is cut off
	}
	<-ended
	return nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", s.auth.require(Viewer, ofAll(s.cfg.Metrics)))
	mux.Handle("GET /debug/pprof/", s.auth.require(Admin, ofAll(s.long(profiles()))))
	for _, rt := range s.calls {
		var h http.Handler = rt
		if rt.raw != nil { // of any length
			h = s.long(rt)
		}
		mux.Handle(rt.Method+" "+rt.Path, s.auth.require(rt.Role, h))
	}
	mux.Handle("GET /api/openapi.json", s.auth.require(Viewer, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, OpenAPI(s.calls))
	})))
	mux.HandleFunc("GET /login", s.loginPage)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	mux.HandleFunc("GET /auth/offers", s.offers)
	if s.organisation != nil {
		mux.HandleFunc("GET /auth/start", s.startLogin)
		mux.HandleFunc("GET /auth/callback", s.endLogin)
	}
	mux.Handle("GET /static/views/index.js", views())
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static())))
	mux.Handle("GET /{$}", s.auth.require(Viewer, page("index.html")))
	if s.cfg.Ingest != nil {
		mux.Handle("/v1/ingest", s.cfg.Ingest)
		mux.Handle("/v1/ingest/", s.cfg.Ingest)
		mux.Handle("/services/collector", s.cfg.Ingest) // where Splunk clients post; a redirect would lose the post
		mux.Handle("/services/collector/", s.cfg.Ingest)
	}
	return protect(mux)
}

// whoAmI is the one call that is about the caller.
func whoAmI() Route {
	return JSON("GET", "/api/v1/me", Viewer, "Who am I", func(r *http.Request, _ struct{}) (Me, error) {
		u := UserOf(r.Context())
		return Me{Name: u.Name, Role: u.Role, Groups: u.Groups}, nil
	})
}

// serverLog takes what the HTTP server has to say of connections and handlers.
type serverLog struct{ log zerolog.Logger }

// Write implements io.Writer.
func (l serverLog) Write(p []byte) (int, error) {
	l.log.Warn().Str("server", "web").Msg(strings.TrimSpace(string(p)))
	return len(p), nil
}

// ready answers 200 only while every needed check lets the service be ready.
// Without credentials the answer has the states only.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	answer := Readiness{Checks: s.cfg.Ready(r.Context())}
	answer.Ready = health.Ready(answer.Checks)
	user, known := s.auth.identify(r)
	answer.User = user.Name
	if !known || user.Limited() {
		for i, c := range answer.Checks {
			answer.Checks[i] = c.Bare()
		}
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, answer)
}
