package jetstream_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func source(b *bus.Bus, change func(*jetstream.Config)) *jetstream.Source {
	c := jetstream.Config{JetStream: b.JetStream(), Stream: bus.StreamEvents, Durable: "rules", AckWait: 5 * time.Second, Log: zerolog.Nop()}
	if change != nil {
		change(&c)
	}
	return jetstream.New(c)
}

// publish carries messages onto the bus and waits until they are there.
func publish(t testing.TB, b *bus.Bus, messages ...events.Message) {
	t.Helper()
	p := jetstream.NewPublisher(jetstream.PublisherConfig{JetStream: b.JetStream(), Log: zerolog.Nop()})
	for _, m := range messages {
		m.Settle = func(err error) {
			if err != nil {
				t.Errorf("publish: %v", err)
			}
		}
		if err := p.Carry(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// read reads until n messages have been settled with nil.
func read(t testing.TB, s events.Source, n int, settle func(m events.Message) error) []events.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []events.Message
	err := s.Read(ctx, func(_ context.Context, m events.Message) error {
		err := settle(m)
		m.Settle(err)
		if err == nil {
			if got = append(got, m); len(got) == n {
				cancel()
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < n {
		t.Fatalf("read %d messages, want %d", len(got), n)
	}
	return got
}

func keep(events.Message) error { return nil }

// eachWay runs a test with a source that shares its consumer and one that is alone.
func eachWay(t *testing.T, test func(t *testing.T, source makeSource)) {
	for _, alone := range []bool{false, true} {
		t.Run(map[bool]string{false: "shared", true: "alone"}[alone], func(t *testing.T) {
			t.Parallel()
			test(t, func(b *bus.Bus, change func(*jetstream.Config)) *jetstream.Source {
				return source(b, func(c *jetstream.Config) {
					c.Alone = alone
					if change != nil {
						change(c)
					}
				})
			})
		})
	}
}

type makeSource = func(*bus.Bus, func(*jetstream.Config)) *jetstream.Source

func event(i int) events.Message {
	return events.Message{Body: fmt.Appendf(nil, `{"n":%d}`, i), Server: "edr01", RoutingKey: "watchlist.hit.process", ContentType: "application/json"}
}

func TestWhatIsPublishedIsRead(t *testing.T) { eachWay(t, whatIsPublishedIsRead) }

func whatIsPublishedIsRead(t *testing.T, source makeSource) {
	b := bustest.Start(t)
	want := []events.Message{
		{Body: []byte(`{"docs":[]}`), Server: "edr01", Exchange: "api.events", RoutingKey: "feed.24.ingress.hit.process", ContentType: "application/json"},
		{Body: []byte("PK\x03\x04…"), Server: "edr01", Exchange: jetstream.RawExchange, ContentType: "application/zip",
			Headers: map[string]string{"sensorId": "42", "hostId": "7", "nodeId": "0", "sensorHostName": "WS-042"}},
		{Body: []byte(`{"type":"x"}`), Server: "edr 01.example"},
	}
	publish(t, b, want...)
	got := read(t, source(b, nil), len(want), keep)
	for i := range got {
		if got[i].Transport != "nats" || got[i].Received.IsZero() || got[i].ID == "" {
			t.Errorf("message %d: transport %q, received %v, headers %v", i, got[i].Transport, got[i].Received, got[i].Headers)
		}
		got[i].ID = ""
		if len(got[i].Headers) == 0 {
			got[i].Headers = nil
		}
		got[i].Transport, got[i].Received, got[i].Settle = "", time.Time{}, nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-published +read):\n%s", diff)
	}
}

func TestDecodeFromTheSubject(t *testing.T) {
	for _, c := range []struct {
		subject string
		header  nats.Header
		want    events.Message
	}{
		{"edr.events.edr01.feed.24.ingress.hit.process", nil, events.Message{Server: "edr01", RoutingKey: "feed.24.ingress.hit.process"}},
		{"edr.events.edr01.raw.42", nil, events.Message{Server: "edr01", Exchange: jetstream.RawExchange, Headers: map[string]string{"sensorId": "42"}}},
		{"edr.edr01.watchlist.hit.binary", nil, events.Message{Server: "edr01", RoutingKey: "watchlist.hit.binary"}},
		{"edr.events._.event", nil, events.Message{}},
		{"edr.events.edr01.a.b", nats.Header{"Cb-Routing-Key": {"alert.x"}, "Cb-Server": {"other"}}, events.Message{Server: "other", RoutingKey: "alert.x"}},
		{"edr.events.edr01.raw._", nats.Header{"Sensorid": {"7"}}, events.Message{Server: "edr01", Exchange: jetstream.RawExchange, Headers: map[string]string{"sensorId": "7"}}},
		{"strangers.own.subject", nil, events.Message{}},
	} {
		t.Run(c.subject, func(t *testing.T) {
			c.want.Transport = "nats"
			if diff := cmp.Diff(c.want, jetstream.Decode(jetstream.Prefix, c.subject, c.header, nil)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnsettledAndFailedMessagesComeAgain(t *testing.T) {
	eachWay(t, unsettledAndFailedMessagesComeAgain)
}

func unsettledAndFailedMessagesComeAgain(t *testing.T, source makeSource) {
	b := bustest.Start(t)
	var all []events.Message
	for i := range 1000 {
		all = append(all, event(i))
	}
	publish(t, b, all...)
	seen := map[string]int{}
	quick := func(c *jetstream.Config) { c.RetryMax = 10 * time.Millisecond }
	read(t, source(b, quick), len(all), func(m events.Message) error {
		seen[string(m.Body)]++
		if seen[string(m.Body)] == 1 && strings.Contains(string(m.Body), "7") {
			return errors.New("not now")
		}
		return nil
	})
	for i := range all {
		body := string(event(i).Body)
		want := 1
		if strings.Contains(body, "7") {
			want = 2
		}
		if seen[body] != want {
			t.Errorf("%s was delivered %d times, want %d", body, seen[body], want)
		}
	}
	// Everything is settled: the server has every acknowledgement.
	info := consumerInfo(t, b)
	if info.NumPending != 0 || info.NumAckPending != 0 {
		t.Errorf("consumer has %d pending, %d unacknowledged; want 0, 0", info.NumPending, info.NumAckPending)
	}
}

// TestAHandlerThatGivesUpAtTheEndDoesNotHoldItUp: a handler that waits for room
// returns the context's error and settles nothing.
func TestAHandlerThatGivesUpAtTheEndDoesNotHoldItUp(t *testing.T) {
	eachWay(t, aHandlerThatGivesUpDoesNotHoldItUp)
}

func aHandlerThatGivesUpDoesNotHoldItUp(t *testing.T, source makeSource) {
	b := bustest.Start(t)
	publish(t, b, event(1))
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	wait := func(c *jetstream.Config) { c.AckWait = time.Minute }
	err := source(b, wait).Read(ctx, func(ctx context.Context, _ events.Message) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if took := time.Since(began); err != nil || took > 30*time.Second {
		t.Errorf("read ended with %v after %v; want no error, at once", err, took)
	}
}

func consumerInfo(t *testing.T, b *bus.Bus) *natsjs.ConsumerInfo {
	t.Helper()
	c, err := b.JetStream().Consumer(t.Context(), bus.StreamEvents, "rules")
	if err != nil {
		t.Fatal(err)
	}
	return c.CachedInfo()
}

func TestReplicasShareOneConsumer(t *testing.T) {
	b := bustest.Start(t)
	const n = 3000
	var all []events.Message
	for i := range n {
		all = append(all, event(i))
	}
	publish(t, b, all...)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var mu sync.Mutex
	seen := map[string]int{}
	var replicas sync.WaitGroup
	for range 3 {
		replicas.Go(func() {
			err := source(b, func(c *jetstream.Config) { c.Pull = 50 }).Read(ctx, func(_ context.Context, m events.Message) error {
				mu.Lock()
				defer mu.Unlock()
				m.Settle(nil)
				if seen[string(m.Body)]++; len(seen) == n {
					cancel()
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	if len(seen) != n {
		t.Errorf("%d different events, want %d", len(seen), n)
	}
}

func TestADeletedConsumerIsMadeAgain(t *testing.T) { eachWay(t, aDeletedConsumerIsMadeAgain) }

func aDeletedConsumerIsMadeAgain(t *testing.T, source makeSource) {
	b := bustest.Start(t)
	publish(t, b, event(1))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	deliveries := 0
	err := source(b, nil).Read(ctx, func(_ context.Context, m events.Message) error {
		m.Settle(nil)
		if deliveries++; deliveries == 2 {
			cancel()
			return nil
		}
		return b.JetStream().DeleteConsumer(ctx, bus.StreamEvents, "rules")
	})
	if err != nil || deliveries != 2 {
		t.Errorf("%d deliveries, error %v; want 2 and none", deliveries, err)
	}
}

func TestOnlyTheHandlersErrorIsFinal(t *testing.T) { eachWay(t, onlyTheHandlersErrorIsFinal) }

func onlyTheHandlersErrorIsFinal(t *testing.T, source makeSource) {
	b := bustest.Start(t)
	publish(t, b, event(1))
	broken := errors.New("store is gone")
	err := source(b, nil).Read(t.Context(), func(_ context.Context, m events.Message) error {
		m.Settle(broken)
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want the handler's", err)
	}
}

func TestRepublishingTheSameAddsNothing(t *testing.T) {
	b := bustest.Start(t)
	publish(t, b, event(1), event(1), event(2))
	publish(t, b, event(2))
	s, err := b.JetStream().Stream(t.Context(), bus.StreamEvents)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().State.Msgs; got != 2 {
		t.Errorf("stream has %d messages, want 2", got)
	}
}

// record is a length-prefixed record of a bundle.
func record(size int, fill byte) []byte {
	r := binary.LittleEndian.AppendUint32(nil, uint32(size))
	return append(r, strings.Repeat(string(rune(fill)), size)...)
}

func TestTooLargeIsSplitOrRefused(t *testing.T) {
	b := bustest.Start(t)
	limit := int(b.Conn().MaxPayload())
	line := `{"x":"` + strings.Repeat("y", limit/3) + `"}` + "\n"
	whale := `{"x":"` + strings.Repeat("z", limit) + `"}` + "\n"
	bundle := append(append(record(limit/2, 'a'), record(limit/3, 'b')...), record(limit/2, 'c')...)
	for _, c := range []struct {
		name          string
		message       events.Message
		parts, refuse int
	}{
		{"lines", events.Message{Body: []byte(strings.Repeat(line, 5))}, 5, 0},
		{"one of them beyond the limit", events.Message{Body: []byte(line + whale + line)}, 2, 1},
		{"bundle", events.Message{Body: bundle, Exchange: jetstream.RawExchange}, 2, 0},
		{"one event", events.Message{Body: []byte(whale)}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dead := &jetstream.DeadLetters{JetStream: b.JetStream()}
			p := jetstream.NewPublisher(jetstream.PublisherConfig{JetStream: b.JetStream(), Dead: dead, Log: zerolog.Nop()})
			settled := 0
			c.message.Settle = func(err error) {
				if settled++; err != nil {
					t.Error(err)
				}
			}
			if err := p.Carry(t.Context(), c.message); err != nil {
				t.Fatal(err)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			got := p.Stats()
			if settled != 1 || got.Published != int64(c.parts) || got.Refused != int64(c.refuse) {
				t.Errorf("settled %d times, %d published, %d refused; want once, %d, %d", settled, got.Published, got.Refused, c.parts, c.refuse)
			}
			n, err := dead.Purge(t.Context(), "too_large")
			if err != nil || n != uint64(c.refuse) {
				t.Errorf("%d dead letters (%v), want %d", n, err, c.refuse)
			}
		})
	}
	t.Run("without a place for dead letters", func(t *testing.T) {
		p := jetstream.NewPublisher(jetstream.PublisherConfig{JetStream: b.JetStream(), Log: zerolog.Nop()})
		var got error
		if err := p.Carry(t.Context(), events.Message{Body: []byte(whale), Settle: func(err error) { got = err }}); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(got, jetstream.ErrTooLarge) {
			t.Errorf("settled with %v, want ErrTooLarge", got)
		}
	})
}

func TestDeadLetters(t *testing.T) {
	b := bustest.Start(t)
	dead := &jetstream.DeadLetters{JetStream: b.JetStream()}
	m := event(1)
	m.Transport = "amqp"
	for range 2 { // redelivered and refused again: one letter
		if err := dead.Write(t.Context(), "bad_json", m, errors.New("line 1: unexpected end")); err != nil {
			t.Fatal(err)
		}
	}
	if err := dead.Write(t.Context(), "no.sensor", event(2), nil); err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // two parts of one message, which share its id
		part := event(10 + i)
		part.ID = "whole"
		if err := dead.Write(t.Context(), "bad_time", part, nil); err != nil {
			t.Fatal(err)
		}
	}
	list := func(reason string) (all []jetstream.Dead) {
		t.Helper()
		err := dead.List(t.Context(), reason, func(d jetstream.Dead) error { all = append(all, d); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := list("")
	if len(all) != 4 {
		t.Fatalf("%d dead letters, want 4", len(all))
	}
	first := all[0]
	if first.Reason != "bad_json" || first.Origin != "amqp/edr01" || !strings.Contains(first.Error, "unexpected end") ||
		string(first.Message.Body) != string(m.Body) || first.Message.RoutingKey != m.RoutingKey || first.Size != len(m.Body) {
		t.Errorf("dead letter = %+v", first)
	}
	if got := len(list("bad_json")); got != 1 {
		t.Errorf("%d letters of that reason, want 1", got)
	}
	if err := dead.Replay(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	got := read(t, source(b, nil), 1, keep)
	if string(got[0].Body) != string(m.Body) || got[0].RoutingKey != m.RoutingKey || got[0].Server != "edr01" {
		t.Errorf("replayed message = %+v", got[0])
	}
	if _, err := dead.Get(t.Context(), first.Sequence); !errors.Is(err, natsjs.ErrMsgNotFound) {
		t.Errorf("replayed letter: %v, want it gone", err)
	}
	if n, err := dead.Purge(t.Context(), ""); err != nil || n != 3 {
		t.Errorf("purged %d (%v), want 3", n, err)
	}
	if got := len(list("")); got != 0 {
		t.Errorf("%d letters after the purge", got)
	}
}
