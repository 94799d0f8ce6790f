package natsd

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"edrpipe/pkg/bus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func as(t *testing.T, ns *server.Server, user, password string) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Config{URL: ns.ClientURL(), User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// TestShippedPermissions holds each role to what it needs, on the configuration
// that docker compose mounts.
func TestShippedPermissions(t *testing.T) {
	ns, password := shipped(t, "cluster.conf")
	service, err := bus.Connect(t.Context(), bus.Config{URL: ns.ClientURL(), User: "service", Password: password("service"), Readers: []string{"siem"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	if err := service.Setup(t.Context()); err != nil {
		t.Fatalf("the service cannot set its streams up: %v", err)
	}
	ingest, reader := as(t, ns, "ingest", password("ingest")), as(t, ns, "reader", password("reader"))

	publish := func(b *bus.Bus, subject string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.JetStream().Publish(ctx, subject, []byte("{}"))
			return err
		}
	}
	sub, err := service.Conn().Subscribe("edrpipe.api.>", func(m *nats.Msg) { _ = m.Respond([]byte("{}")) }) // unanswered, the test fails
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }() // ends with the connection too
	call := func(b *bus.Bus, subject string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.Conn().RequestWithContext(ctx, subject, []byte("{}"))
			return err
		}
	}
	read := func(b *bus.Bus, stream string) func(context.Context) error {
		return func(ctx context.Context) error {
			s, err := b.JetStream().Stream(ctx, stream)
			if err != nil {
				return err
			}
			c, err := s.Consumer(ctx, "siem")
			if err != nil {
				return err
			}
			_, err = c.Next(jetstream.FetchMaxWait(2 * time.Second))
			return err
		}
	}
	consume := func(b *bus.Bus, stream string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.JetStream().CreateConsumer(ctx, stream, jetstream.ConsumerConfig{})
			return err
		}
	}
	listen := func(user, subject string) func(context.Context) error {
		return func(context.Context) error {
			nc := as(t, ns, user, password(user)).Conn() // a new one, as its last error stays
			if _, err := nc.SubscribeSync(subject); err != nil {
				return err
			}
			return errors.Join(nc.Flush(), nc.LastError())
		}
	}
	for _, tc := range []struct {
		name    string
		do      func(context.Context) error
		allowed bool
	}{
		{"ingest publishes an event", publish(ingest, "edr.events.edr.watchlist.hit.process"), true},
		{"service makes up an event", publish(service, "edr.events.edr.watchlist.hit.process"), false},
		{"reader makes up an event", publish(reader, "edr.events.edr.watchlist.hit.process"), false},
		{"ingest makes up a result", publish(ingest, "edr.results.rule.job"), false},
		{"service publishes a result", publish(service, "edr.results.rule.job"), true},
		{"service publishes audit", publish(service, "edr.audit"), true},
		{"reader makes up audit", publish(reader, "edr.audit"), false},
		{"service deletes a stream", func(ctx context.Context) error { return service.JetStream().DeleteStream(ctx, bus.StreamAudit) }, false},
		{"service shrinks the audit", func(ctx context.Context) error {
			s, err := service.JetStream().Stream(ctx, bus.StreamAudit)
			if err != nil {
				return err
			}
			c := s.CachedInfo().Config
			c.MaxMsgs = 1
			_, err = service.JetStream().UpdateStream(ctx, c)
			return err
		}, false},
		{"service purges the results", func(ctx context.Context) error {
			s, err := service.JetStream().Stream(ctx, bus.StreamResults)
			if err != nil {
				return err
			}
			return s.Purge(ctx)
		}, false},
		{"service writes a job record", func(ctx context.Context) error {
			kv, err := service.Bucket(ctx, bus.BucketJobs)
			if err != nil {
				return err
			}
			_, err = kv.Create(ctx, "x", []byte("{}"))
			return err
		}, true},
		{"service stores an artifact", func(ctx context.Context) error {
			store, err := service.ArtifactBucket(ctx)
			if err != nil {
				return err
			}
			_, err = store.PutBytes(ctx, "x", []byte("bytes"))
			return err
		}, true},
		{"reader reads job records", func(ctx context.Context) error {
			kv, err := reader.JetStream().KeyValue(ctx, bus.BucketJobs)
			if err != nil {
				return err
			}
			_, err = kv.Get(ctx, "x")
			return err
		}, false},
		{"reader reads results", read(reader, bus.StreamResults), true},
		{"reader makes a consumer", consume(reader, bus.StreamResults), false},
		{"ingest reads results", read(ingest, bus.StreamResults), false},
		{"reader reads events", read(reader, bus.StreamEvents), false},
		{"reader reads audit", read(reader, bus.StreamAudit), false},
		{"reader listens to results", listen("reader", "edr.results.>"), true},
		{"reader listens to events", listen("reader", "edr.events.>"), false},
		{"reader listens to job records", listen("reader", "$KV.jobs.>"), false},
		{"reader listens to everything", listen("reader", ">"), false},
		{"reader hears calls and their tokens", listen("reader", "edrpipe.>"), false},
		{"ingest listens to results", listen("ingest", "edr.results.>"), false},
		{"ingest listens to events", listen("ingest", "edr.events.>"), false},
		{"ingest hears calls and their tokens", listen("ingest", "edrpipe.>"), false},
		{"reader deletes a stream", func(ctx context.Context) error { return reader.JetStream().DeleteStream(ctx, bus.StreamResults) }, false},
		{"reader calls the service", call(reader, "edrpipe.api.post.jobs.j.answer"), true},
		{"ingest calls the service", call(ingest, "edrpipe.api.post.jobs.j.answer"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wait := 5 * time.Second
			if !tc.allowed {
				wait = 500 * time.Millisecond // a refused publish is simply never answered
			}
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			if err := tc.do(ctx); (err == nil) != tc.allowed {
				t.Errorf("allowed = %v, want %v (%v)", err == nil, tc.allowed, err)
			}
		})
	}
}

func TestNobodyComesInWithoutAPassword(t *testing.T) {
	ns, _ := shipped(t, "cluster-three.conf")
	for _, opts := range [][]nats.Option{nil, {nats.UserInfo("service", "guess")}} {
		if nc, err := nats.Connect(ns.ClientURL(), opts...); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("connect: %v, want an authorization error", err)
			nc.Close()
		}
	}
}

// TestAnswersAreHeardByNobodyElse: records come as answers to the service, and who
// listens to every answer must not get them.
func TestAnswersAreHeardByNobodyElse(t *testing.T) {
	ns, password := shipped(t, "cluster.conf")
	service := as(t, ns, "service", password("service"))
	if err := service.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	kv, err := service.Bucket(t.Context(), bus.BucketJobs)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"reader", "ingest"} {
		nc := as(t, ns, user, password(user)).Conn()
		heard, err := nc.SubscribeSync("_INBOX.>")
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := kv.Put(t.Context(), user, []byte("a secret")); err != nil {
			t.Fatal(err)
		}
		if _, err := kv.Get(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil { // what the server has for it comes before this is answered
			t.Fatal(err)
		}
		if n, _, err := heard.Pending(); n != 0 && err == nil {
			m, _ := heard.NextMsg(0)
			t.Errorf("%s hears %d answers, such as %s: %s", user, n, m.Subject, m.Data)
		}
	}
}
