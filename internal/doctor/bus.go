package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"edrpipe/pkg/bus"
)

// bus tries an external bus; an embedded one answers through its running service.
func (d *Doctor) bus(ctx context.Context, running bool) {
	c := d.Config.Bus
	if c.URL == "" {
		d.embedded(running)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.Within)
	defer cancel()
	conf := bus.Config{URL: c.URL, User: c.User, Creds: d.optional(c.Creds), NKey: d.optional(c.NKey), CA: d.optional(c.CA), Cert: d.optional(c.Cert), Key: d.optional(c.Key), Name: "edrpipe-doctor", Log: zerolog.Nop()}
	if c.Password != "" {
		password, err := os.ReadFile(d.path(c.Password))
		if err != nil {
			d.failed("bus", "bus.password_file: "+err.Error(), cureOf(err, "bus.password_file"))
			return
		}
		conf.Password = strings.TrimSpace(string(password))
	}
	b, err := bus.Connect(ctx, conf)
	if err != nil {
		d.failed("bus", err.Error(), busCure(err))
		return
	}
	defer b.Close()
	if _, err := b.JetStream().AccountInfo(ctx); err != nil {
		d.failed("bus", "JetStream: "+err.Error(), "turn JetStream on in the NATS server, and allow it to the user (deploy/nats has both)")
		return
	}
	d.ok("bus", c.URL+" answers, with JetStream")
	d.streams(ctx, b)
}

// optional is path for a file that need not be named.
func (d *Doctor) optional(name string) string {
	if name == "" {
		return ""
	}
	return d.path(name)
}

func busCure(err error) string {
	text := strings.ToLower(err.Error())
	switch {
	case strings.Contains(text, "authorization") || strings.Contains(text, "authentication"):
		return "correct bus.user and bus.password_file, as the NATS server's accounts say"
	case strings.Contains(text, "certificate") || strings.Contains(text, "tls"):
		return "name the authority of the bus in bus.ca"
	}
	return "is NATS up at bus.url, and does a firewall let this machine through?"
}

// streams looks for those that the service keeps everything in.
func (d *Doctor) streams(ctx context.Context, b *bus.Bus) {
	var missing []string
	for _, name := range []string{bus.StreamEvents, bus.StreamDead, bus.StreamJobs, bus.StreamResults, bus.StreamAudit, "KV_" + bus.BucketJobs, "KV_" + bus.BucketControl} {
		s, err := b.JetStream().Stream(ctx, name)
		if errors.Is(err, natsjs.ErrStreamNotFound) {
			missing = append(missing, name)
			continue
		}
		if err != nil {
			d.failed("streams", name+": "+err.Error(), "does the user have the rights of `service` in deploy/nats/accounts.conf?")
			return
		}
		if info := s.CachedInfo(); info.Config.Replicas < d.Config.Bus.Replicas {
			d.degraded("streams", fmt.Sprintf("%s has %d copies, and bus.replicas is %d", name, info.Config.Replicas, d.Config.Bus.Replicas), "it is changed at the next start, if the cluster has the nodes")
		}
	}
	if len(missing) > 0 {
		d.ok("streams", strings.Join(missing, ", ")+" will be made at the first start")
		return
	}
	d.ok("streams", "all are there")
}

func (d *Doctor) embedded(running bool) {
	dir := filepath.Join(d.path(d.Config.Data), "bus")
	_, err := os.Stat(dir)
	switch {
	case running:
		d.ok("bus", "embedded in the running service")
	case errors.Is(err, os.ErrNotExist):
		d.ok("bus", "embedded; its store is made at the first start")
	case err != nil:
		d.failed("bus", err.Error(), "let the user who runs pipeline read "+dir)
	default:
		d.ok("bus", "embedded; its store is in "+dir)
	}
}
