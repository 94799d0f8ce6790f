package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"edrpipe/pkg/directory"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// Member is one configured server with what belongs to it alone.
type Member struct {
	Name   string
	Kind   string   // as in servers[].kind; empty: events of every product are taken
	Tenant string   // label; empty: none
	Accept []string // names by which events call it

	EDR       edr.Server
	Directory *directory.Directory
	Scheduler *jobs.Scheduler

	prober *prober
}

// NewMember returns a server without a scheduler; its Down may be called already.
func NewMember(name, tenant string, accept []string, server edr.Server, d *directory.Directory) *Member {
	return &Member{Name: name, Tenant: tenant, Accept: accept, EDR: server, Directory: d, prober: newProber()}
}

// Config of a fleet. Members and Store are required.
type Config struct {
	Members []*Member
	Former  []*Member  // servers that were configured once, whose jobs may be left
	Store   jobs.Store // that the schedulers share
	// Other is called for each event of a server that no member accepts, with the bounded
	// name of that server. Nil: no calls.
	Other func(server string)
	Now   func() time.Time // nil: time.Now
	Log   zerolog.Logger
}

// Fleet is the servers of a service. Its owner calls Run.
type Fleet struct {
	cfg    Config
	byName map[string]*Member
	names  names
	others others
}

// New makes a fleet of at least one server.
func New(c Config) (*Fleet, error) {
	if len(c.Members) == 0 {
		return nil, errors.New("no EDR server is configured")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	f := &Fleet{cfg: c, byName: map[string]*Member{}}
	for _, m := range c.Members {
		if f.byName[m.Name] != nil {
			return nil, fmt.Errorf("two servers have the name %q", m.Name)
		}
		f.byName[m.Name] = m
	}
	var err error
	f.names, err = newNames(c.Members)
	return f, err
}

// Members lists the servers in the order of the configuration.
func (f *Fleet) Members() []*Member { return f.cfg.Members }

// Member returns the server of a name, or nil.
func (f *Fleet) Member(name string) *Member { return f.byName[name] }

// Sole returns the name of the only server, or "" where there are several.
func (f *Fleet) Sole() string {
	if len(f.cfg.Members) == 1 {
		return f.cfg.Members[0].Name
	}
	return ""
}

// Names lists the configured names.
func (f *Fleet) Names() []string {
	list := make([]string, len(f.cfg.Members))
	for i, m := range f.cfg.Members {
		list[i] = m.Name
	}
	return list
}

// Title names the fleet in one text, for messages about all of it.
func (f *Fleet) Title() string { return strings.Join(f.Names(), ", ") }

// Run lets every scheduler work until ctx ends, and returns when all have ended.
func (f *Fleet) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, m := range f.all() {
		g.Go(func() error {
			if err := m.Scheduler.Run(ctx); err != nil {
				return fmt.Errorf("jobs of server %s: %w", m.Name, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// ReadDirectories keeps the directories of all servers until ctx ends.
func (f *Fleet) ReadDirectories(ctx context.Context) {
	var g errgroup.Group
	for _, m := range f.cfg.Members {
		g.Go(func() error { m.Directory.Run(ctx); return nil })
	}
	_ = g.Wait() // they only end with ctx
}
