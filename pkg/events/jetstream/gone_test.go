package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

// reading is a source that reads in the background until the test ends.
type reading struct {
	*jetstream.Source
	mu   sync.Mutex
	seen map[int]int // how often each event came
}

func startReading(t *testing.T, s *jetstream.Source) *reading {
	t.Helper()
	r := &reading{Source: s, seen: map[int]int{}}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		ended <- s.Read(ctx, func(_ context.Context, m events.Message) error {
			r.mu.Lock()
			r.seen[sequence(t, m)]++
			r.mu.Unlock()
			m.Settle(nil)
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("read: %v", err)
		}
	})
	return r
}

// all blocks until events from..to-1 came.
func (r *reading) all(t *testing.T, from, to int) {
	t.Helper()
	within(t, fmt.Sprintf("events %d to %d are read", from, to-1), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for i := from; i < to; i++ {
			if r.seen[i] == 0 {
				return false
			}
		}
		return true
	})
}

func (r *reading) reads(t *testing.T) {
	t.Helper()
	within(t, "the source reads", func() bool { return r.Trouble() == nil })
}

// says blocks until the source's trouble has the text.
func (r *reading) says(t *testing.T, text string) {
	t.Helper()
	within(t, "trouble says "+text, func() bool {
		tr := r.Trouble()
		return tr != nil && strings.Contains(tr.Err.Error(), text) && !tr.Since.IsZero()
	})
}

// TestALostReaderComesBack: whatever became of the consumer or its stream while the
// source was reading, every event published afterwards is read.
func TestALostReaderComesBack(t *testing.T) {
	eachWay(t, func(t *testing.T, source makeSource) {
		for name, lose := range map[string]func(*testing.T, natsjs.JetStream) error{
			"consumer deleted": func(t *testing.T, js natsjs.JetStream) error {
				return js.DeleteConsumer(t.Context(), bus.StreamEvents, "rules")
			},
			"stream deleted": func(t *testing.T, js natsjs.JetStream) error {
				return js.DeleteStream(t.Context(), bus.StreamEvents)
			},
			"another filter": func(t *testing.T, js natsjs.JetStream) error {
				return change(t, js, func(c *natsjs.ConsumerConfig) { c.FilterSubjects = []string{"edr.events.nobody.>"} })
			},
			"delivered once at most": func(t *testing.T, js natsjs.JetStream) error {
				return change(t, js, func(c *natsjs.ConsumerConfig) { c.MaxDeliver, c.AckWait = 1, time.Second })
			},
			"another kind of consumer": func(t *testing.T, js natsjs.JetStream) error {
				if err := js.DeleteConsumer(t.Context(), bus.StreamEvents, "rules"); err != nil {
					return err
				}
				_, err := js.CreateConsumer(t.Context(), bus.StreamEvents, natsjs.ConsumerConfig{Durable: "rules", AckPolicy: natsjs.AckNonePolicy, DeliverPolicy: natsjs.DeliverNewPolicy})
				return err
			},
			"a consumer that pushes": func(t *testing.T, js natsjs.JetStream) error {
				if err := js.DeleteConsumer(t.Context(), bus.StreamEvents, "rules"); err != nil {
					return err
				}
				_, err := js.CreatePushConsumer(t.Context(), bus.StreamEvents, natsjs.ConsumerConfig{Durable: "rules", DeliverSubject: "elsewhere", AckPolicy: natsjs.AckExplicitPolicy})
				return err
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := bustest.Start(t)
				publish(t, b, numbered(20)...)
				r := startReading(t, source(b, func(c *jetstream.Config) { c.Repair = b.Setup }))
				r.all(t, 0, 20)
				r.reads(t)
				if err := lose(t, b.JetStream()); err != nil {
					t.Fatal(err)
				}
				within(t, "the consumer is as it was", func() bool { return asMade(t, b.JetStream()) })
				publish(t, b, numbered(40)[20:]...)
				r.all(t, 20, 40)
				r.reads(t)
			})
		}
	})
}

// change changes the durable consumer as an administrator would.
func change(t *testing.T, js natsjs.JetStream, edit func(*natsjs.ConsumerConfig)) error {
	t.Helper()
	c, err := js.Consumer(t.Context(), bus.StreamEvents, "rules")
	if err != nil {
		return err
	}
	config := c.CachedInfo().Config
	edit(&config)
	_, err = js.UpdateConsumer(t.Context(), bus.StreamEvents, config)
	return err
}

// asMade reports whether the consumer exists with the settings that count.
func asMade(t *testing.T, js natsjs.JetStream) bool {
	t.Helper()
	c, err := js.Consumer(t.Context(), bus.StreamEvents, "rules")
	if err != nil {
		return false
	}
	is := c.CachedInfo().Config
	return is.AckPolicy == natsjs.AckExplicitPolicy && is.MaxDeliver == -1 && is.FilterSubject == "" && len(is.FilterSubjects) == 0 && is.AckWait == 5*time.Second
}

// TestWhatWasSettledIsNotReadAgain after its consumer was deleted, as long as the
// stream is the same.
func TestWhatWasSettledIsNotReadAgain(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	publish(t, b, numbered(20)...)
	r := startReading(t, source(b, nil))
	r.all(t, 0, 20)
	within(t, "all is acknowledged", func() bool { return consumerInfo(t, b).AckFloor.Stream == 20 })
	seen := r.Known()
	within(t, "the source has seen that", func() bool { seen = r.Known(); return seen == 20 })
	if err := b.JetStream().DeleteConsumer(t.Context(), bus.StreamEvents, "rules"); err != nil {
		t.Fatal(err)
	}
	publish(t, b, numbered(40)[20:]...)
	r.all(t, 20, 40)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, n := range r.seen {
		if n != 1 {
			t.Errorf("event %d was read %d times", i, n)
		}
	}
}

// TestAConsumerThatVanishesWhileWeAreAway: the bus is restarted, and its administrator
// deletes the consumer before this process is back.
func TestAConsumerThatVanishesWhileWeAreAway(t *testing.T) {
	eachWay(t, func(t *testing.T, source makeSource) {
		conf := natsd.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Pass: "only-for-this-test", Sync: time.Minute}
		ns, err := natsd.Start(conf)
		if err != nil {
			t.Fatal(err)
		}
		address := strings.TrimPrefix(ns.URL(), "nats://")
		b := bustest.Connect(t, bus.Config{URL: "nats://" + address, User: "operator", Password: conf.Pass})
		publish(t, b, numbered(10)...)
		r := startReading(t, source(b, nil))
		r.all(t, 0, 10)
		if err := ns.Close(); err != nil {
			t.Fatal(err)
		}
		within(t, "the bus is away", func() bool { return !b.Connected() })
		if ns, err = natsd.Start(natsd.Config{Dir: conf.Dir, Sync: time.Minute}); err != nil {
			t.Fatal(err)
		}
		admin, err := bus.Connect(t.Context(), bus.Config{InProcess: ns})
		if err != nil {
			t.Fatal(err)
		}
		if err := admin.JetStream().DeleteConsumer(t.Context(), bus.StreamEvents, "rules"); err != nil {
			t.Fatal(err)
		}
		publish(t, admin, numbered(20)[10:]...)
		admin.Close()
		if err := ns.Close(); err != nil {
			t.Fatal(err)
		}
		conf.Listen = address
		bustest.Serve(t, conf)
		r.all(t, 10, 20)
		r.reads(t)
	})
}

// TestTroubleNamesTheCause while nothing can be read.
func TestTroubleNamesTheCause(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	t.Run("paused by people", func(t *testing.T) {
		r := startReading(t, source(b, nil))
		r.reads(t)
		if _, err := b.JetStream().PauseConsumer(t.Context(), bus.StreamEvents, "rules", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		r.says(t, "consumer rules of stream EVENTS is paused")
		publish(t, b, event(0))
		if _, err := b.JetStream().ResumeConsumer(t.Context(), bus.StreamEvents, "rules"); err != nil {
			t.Fatal(err)
		}
		r.all(t, 0, 1)
		r.reads(t)
	})
	t.Run("no stream, and nobody who makes it", func(t *testing.T) {
		startReading(t, source(b, func(c *jetstream.Config) { c.Stream = "NONE" })).says(t, "stream NONE: ")
	})
	t.Run("no stream, and it cannot be made", func(t *testing.T) {
		repair := func(context.Context) error { return errors.New("quota exceeded") }
		startReading(t, source(b, func(c *jetstream.Config) { c.Stream, c.Repair = "NONE", repair })).says(t, "quota exceeded")
	})
}

// TestAStreamMadeAgainIsReadFromItsBeginning: what was settled in the one before says
// nothing about it.
func TestAStreamMadeAgainIsReadFromItsBeginning(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	publish(t, b, numbered(20)...)
	repair := func(ctx context.Context) error {
		if err := b.Setup(ctx); err != nil {
			return err
		}
		publish(t, b, numbered(60)[20:]...)
		return nil
	}
	r := startReading(t, source(b, func(c *jetstream.Config) { c.Repair = repair }))
	r.all(t, 0, 20)
	within(t, "the source knows that all is settled", func() bool { return r.Known() == 20 })
	if err := b.JetStream().DeleteStream(t.Context(), bus.StreamEvents); err != nil {
		t.Fatal(err)
	}
	r.all(t, 20, 60)
}
