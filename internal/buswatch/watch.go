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
func (w *Watch) Check(ctx context.Context) (ok bool, why string) {
	if !w.cfg.Bus.Connected() {
		return false, "events wait on the bus and nothing is lost; jobs cannot be recorded"
	}
	if err := w.Disk.Err(); err != nil {
		return false, err.Error()
	}
	if text := w.stuck.text(); text != "" {
		return false, "connected, but " + text + w.cure()
	}
	if err := w.probe.write(ctx, w.cfg.Bus, w.cfg.Owner); err != nil {
		return false, "connected, but it stores nothing: is its disk full? " + err.Error()
	}
	return true, ""
}
