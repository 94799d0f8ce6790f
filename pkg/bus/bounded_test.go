package bus_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
)

// deaf is a bus whose answers are lost from a moment on, as with a connection
// that breaks between a request and its answer.
type deaf struct {
	*natsd.Server
	lost atomic.Bool
}

func (d *deaf) InProcessConn() (net.Conn, error) {
	c, err := d.Server.InProcessConn()
	return deafConn{c, d}, err
}

type deafConn struct {
	net.Conn
	d *deaf
}

func (c deafConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err != nil || !c.d.lost.Load() {
			return n, err
		}
	}
}

// TestALostAnswerIsNotWaitedForForEver: a job's context lasts for hours.
func TestALostAnswerIsNotWaitedForForEver(t *testing.T) {
	ns := bustest.Serve(t, natsd.Config{})
	d := &deaf{Server: ns}
	b, err := bus.Connect(t.Context(), bus.Config{InProcess: d, Answer: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for {
		if err = b.Setup(t.Context()); err == nil {
			break
		}
		if !errors.Is(err, context.DeadlineExceeded) { // a machine that is busy
			t.Fatal(err)
		}
	}
	kv, err := b.Bucket(t.Context(), bus.BucketControl)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := b.JetStream().Stream(t.Context(), bus.StreamAudit)
	if err != nil {
		t.Fatal(err)
	}
	ordered, err := b.JetStream().OrderedConsumer(t.Context(), bus.StreamAudit, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	d.lost.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
	defer cancel()
	for name, ask := range map[string]func() error{
		"get":     func() error { _, err := kv.Get(ctx, "k"); return err },
		"put":     func() error { _, err := kv.Put(ctx, "k", nil); return err },
		"create":  func() error { _, err := kv.Create(ctx, "k", nil); return err },
		"update":  func() error { _, err := kv.Update(ctx, "k", nil, 1); return err },
		"delete":  func() error { return kv.Delete(ctx, "k") },
		"purge":   func() error { return kv.Purge(ctx, "k") },
		"bucket":  func() error { _, err := b.Bucket(ctx, bus.BucketJobs); return err },
		"stream":  func() error { _, err := b.JetStream().Stream(ctx, bus.StreamJobs); return err },
		"info":    func() error { _, err := stream.Info(ctx); return err },
		"message": func() error { _, err := stream.GetMsg(ctx, 1); return err },
		"last":    func() error { _, err := stream.GetLastMsgForSubject(ctx, "edr.audit"); return err },
		"ordered": func() error {
			_, err := b.JetStream().OrderedConsumer(ctx, bus.StreamAudit, jetstream.OrderedConsumerConfig{})
			return err
		},
		"of stream": func() error {
			_, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
			return err
		},
		"consumer": func() error { _, err := ordered.Info(ctx); return err },
		"watch":    func() error { _, err := kv.WatchAll(ctx); return err },
		"publish":  func() error { return b.Publish(ctx, notice("edr.results.r.1", "1")) },
	} {
		if err := ask(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want context.DeadlineExceeded", name, err)
		}
	}
}
