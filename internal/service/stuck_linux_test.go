package service

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/internal/console"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
)

// outside is a NATS server of its own, on a file system of 32 MiB.
type outside struct {
	*server.Server
	t       *testing.T
	opts    *server.Options
	ballast string
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	dir := t.TempDir()
	mount(t, dir, "32m")
	o := &outside{t: t, ballast: filepath.Join(dir, "ballast"), opts: &server.Options{
		JetStream: true, StoreDir: filepath.Join(dir, "store"), JetStreamMaxStore: 16 << 30, SyncAlways: true, NoSigs: true, NoLog: true,
		Host: "127.0.0.1", Port: server.RANDOM_PORT, HTTPHost: "127.0.0.1", HTTPPort: server.RANDOM_PORT,
	}}
	o.start()
	o.opts.Port, o.opts.HTTPPort = o.Addr().(*net.TCPAddr).Port, o.MonitorAddr().Port
	t.Cleanup(o.stop)
	return o
}

func (o *outside) start() {
	o.t.Helper()
	var err error
	if o.Server, err = server.NewServer(o.opts.Clone()); err != nil {
		o.t.Fatal(err)
	}
	o.Start()
	if !o.ReadyForConnections(20 * time.Second) {
		o.t.Fatal("the bus does not start")
	}
}

func (o *outside) stop() {
	o.Shutdown()
	o.WaitForShutdown()
}

// TestAStuckStreamOfAnExternalBusIsTold: the disk of a NATS server is full for a
// large event and has room for small records. The server is connected and stores
// records; that it takes no event is told, until it has been restarted with room.
func TestAStuckStreamOfAnExternalBusIsTold(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	cfg, _, err := config.Load(filepath.Join(p.dir, "pipeline.yaml"), nil, map[string]string{
		"bus.url": o.ClientURL(), "bus.monitor": "http://" + o.MonitorAddr().String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := p.runWith(cfg, zerolog.Nop())
	await(t, 20*time.Second, "the first event", func() bool { return r.post(start(1, 1)) == http.StatusOK })
	if why := r.notReady(); why != "" {
		t.Fatalf("not ready at first: %s", why)
	}
	if err := os.WriteFile(o.ballast, make([]byte, 24<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	large := []byte(strings.Repeat(" ", 256<<10) + strings.ReplaceAll(start(1, 2), "evil.exe", "good.exe")) // which no rule wants
	await(t, time.Minute, "not ready", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = r.bus.JetStream().Publish(ctx, "edr.events.sim.large", large) // until none is taken any more
		why := r.notReady()
		return strings.Contains(why, "EVENTS stores no writes") && strings.Contains(why, "no space left") && strings.Contains(why, "restart NATS")
	})
	control, err := r.bus.Bucket(t.Context(), bus.BucketControl)
	if err == nil {
		_, err = control.PutString(t.Context(), "test", "a small record")
	}
	if err != nil {
		t.Errorf("records are not stored: %v: then this is not the case that is meant", err)
	}
	if got := console.ByLabel(r.metrics.StreamStuck, "stream"); len(got) != 1 || got["EVENTS"] != 1 {
		t.Errorf("bus_stream_stuck = %v, want EVENTS alone", got)
	}
	if err := os.Remove(o.ballast); err != nil {
		t.Fatal(err)
	}
	o.stop()
	o.start()
	await(t, 30*time.Second, "ready", func() bool { return r.notReady() == "" })
	await(t, 20*time.Second, "an event", func() bool { return r.post(start(1, 3)) == http.StatusOK })
	if got := console.ByLabel(r.metrics.StreamStuck, "stream"); len(got) != 0 {
		t.Errorf("bus_stream_stuck = %v after the restart", got)
	}
}
