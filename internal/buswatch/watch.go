// Package buswatch watches whether the bus stores what is written to it: its disk,
// its streams, and, after a start, the job records on it. New events are held back
// while it does not.
package buswatch

import (
	"context"
	"crypto/tls"
	"net/http"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"edrpipe/internal/health"
	"edrpipe/internal/natsd"
	"edrpipe/internal/telemetry"
	"edrpipe/pkg/bus"
)

// Config of a watch.
type Config struct {
	Bus      *bus.Bus
	Ingest   *bus.Bus      // the connection that puts events on the bus; may be Bus
	Embedded *natsd.Server // nil: the bus is another process
	Owner    string        // this replica, in the subject of its probe

	Data  string // directory of the embedded bus, for messages
	Floor int64  // bytes that stay free on its disk

	Monitors []string // monitoring addresses of the bus's servers
	Replicas int      // copies of each stream
	TLS      *tls.Config

	Repaired func(context.Context, bus.Change) // is called after a stream was made again or set back

	Metrics *telemetry.Metrics
	Log     zerolog.Logger
}

// Watch knows the state of the bus. Run keeps it current.
type Watch struct {
	Disk Disk // holds new events back while the disk is full

	cfg      Config
	log      zerolog.Logger
	probe    probe
	stuck    stuck
	repairs  repairs
	monitors monitors
}

// New makes a watch. Before Run the bus is taken to be in order.
func New(c Config) *Watch {
	client := &http.Client{Timeout: stuckEvery, Transport: &http.Transport{TLSClientConfig: c.TLS}}
	return &Watch{cfg: c, log: c.Log, monitors: monitors{addresses: c.Monitors, copies: c.Replicas, ours: c.Bus.Streams(), client: client, log: c.Log}}
}

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	var g errgroup.Group
	g.Go(func() error { w.watchDisk(ctx); return nil })
	g.Go(func() error { w.watchStuck(ctx); return nil })
	_ = g.Wait() // neither has an error
}

// Check reports whether the bus is connected and stores what is written to it, and
// if not, why.
func (w *Watch) Check(ctx context.Context) health.Check {
	if !w.cfg.Bus.Connected() {
		return health.Bad("bus", health.Failed, "start NATS, or mend the way to it", "it cannot be reached: events wait on it and nothing is lost; jobs cannot be recorded")
	}
	if text := w.stuck.text(); text != "" {
		return health.Bad("bus", health.Failed, w.cure(), "connected, but "+text)
	}
	if err := w.probe.write(ctx, w.cfg.Bus, w.cfg.Owner); err != nil {
		return health.Bad("bus", health.Failed, w.cure(), "connected, but it stores nothing: "+err.Error())
	}
	return health.Good("bus", "")
}

// DiskChecks reports whether the disk of the embedded bus has room; none for a bus
// that is another process.
func (w *Watch) DiskChecks() []health.Check {
	if w.cfg.Embedded == nil {
		return nil
	}
	if err := w.Disk.Err(); err != nil {
		return []health.Check{health.Bad("disk", health.Failed, "make room on the disk: it goes on by itself then", err.Error()).Need()}
	}
	free, err := w.cfg.Embedded.Free()
	switch {
	case err != nil:
		return []health.Check{health.Bad("disk", health.Unknown, "look at the data directory", "free space cannot be read: "+err.Error())}
	case free < 2*uint64(max(w.cfg.Floor, 0)):
		return []health.Check{health.Bad("disk", health.Degraded, "make room on the disk", "%d MiB are left; below bus.floor, %d MiB, no new event is taken", free>>20, w.cfg.Floor>>20)}
	}
	return []health.Check{health.Good("disk", "")}
}
