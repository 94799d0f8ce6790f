package amqp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rabbitmq/amqp091-go"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"edrpipe/internal/rabbittest"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/amqp"
)

// broker runs for all tests of the package; nil where RabbitMQ is not installed.
var (
	broker *rabbittest.Broker
	pki    *rabbittest.PKI
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if pki, err = rabbittest.NewPKI(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer pki.Close()
		broker, err = rabbittest.Start(context.Background(), &pki.Server)
		switch {
		case errors.Is(err, rabbittest.ErrNotInstalled):
			fmt.Fprintln(os.Stderr, "most tests are skipped:", err)
		case err != nil:
			fmt.Fprintln(os.Stderr, err)
			return 1
		default:
			defer func() {
				if err := broker.Stop(); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
			}()
		}
		status := m.Run()
		if err := goleak.Find(); err != nil && status == 0 {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return status
	}())
}

// edr is the EDR server's side of the bus: the exchanges, which it has declared.
type edr struct {
	t  testing.TB
	ch *amqp091.Channel
}

func newEDR(t testing.TB, exchanges map[string]string) *edr {
	t.Helper()
	if broker == nil {
		t.Skip(rabbittest.ErrNotInstalled)
	}
	conn, err := amqp091.Dial(broker.URL)
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range exchanges {
		if err := ch.ExchangeDeclare(name, kind, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for name := range exchanges {
			if err := ch.ExchangeDelete(name, false, false); err != nil {
				t.Error(err)
			}
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return &edr{t, ch}
}

var both = map[string]string{amqp.ExchangeEvents: "topic", amqp.ExchangeRaw: "fanout"}

func (e *edr) publish(exchange, key string, p amqp091.Publishing) {
	e.t.Helper()
	if err := e.ch.PublishWithContext(e.t.Context(), exchange, key, false, false, p); err != nil {
		e.t.Fatal(err)
	}
}

func (e *edr) deleteQueue(name string) {
	e.t.Helper()
	if _, err := e.ch.QueueDelete(name, false, false, false); err != nil {
		e.t.Fatal(err)
	}
}

// config is a source's, with a queue named for the test that goes when it ends.
func (e *edr) config() amqp.Config {
	name := "edrpipe-test:" + e.t.Name()
	e.t.Cleanup(func() { e.deleteQueue(name) })
	return amqp.Config{URL: broker.URL, Queue: amqp.Queue{Name: name}, Server: "edr01", Requeue: time.Millisecond, Log: zerolog.Nop()}
}

// reading is a Read in the background.
type reading struct {
	t    testing.TB
	src  *amqp.Source
	got  chan events.Message
	done chan error
	stop context.CancelFunc
}

func read(t testing.TB, c amqp.Config) *reading {
	t.Helper()
	src, err := amqp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &reading{t: t, src: src, got: make(chan events.Message), done: make(chan error, 1), stop: cancel}
	go func() {
		r.done <- src.Read(ctx, func(ctx context.Context, m events.Message) error {
			select {
			case r.got <- m:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	for { // until it is connected, or has ended
		if _, err := src.Depth(); err == nil || !errors.Is(err, amqp.ErrNotReading) {
			return r
		}
		select {
		case err := <-r.done:
			t.Fatalf("read ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (r *reading) next() events.Message {
	r.t.Helper()
	select {
	case m := <-r.got:
		return m
	case err := <-r.done:
		r.t.Fatalf("read ended: %v", err)
	case <-time.After(20 * time.Second):
		r.t.Fatal("no message")
	}
	return events.Message{}
}

func (r *reading) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Errorf("read: %v", err)
	}
}

func TestBothExchanges(t *testing.T) {
	e := newEDR(t, both)
	r := read(t, e.config())
	defer r.end()
	e.publish(amqp.ExchangeEvents, "feed.24.ingress.hit.process", amqp091.Publishing{ContentType: "application/json", Body: []byte(`{"feed_id":24}`)})
	m := r.next()
	m.Settle(nil)
	want := events.Message{Body: []byte(`{"feed_id":24}`), ContentType: "application/json", Exchange: "api.events", RoutingKey: "feed.24.ingress.hit.process", Transport: "amqp", Server: "edr01"}
	m.Settle, m.Received = nil, time.Time{}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}

	e.publish(amqp.ExchangeRaw, "", amqp091.Publishing{ContentType: "application/zip", Body: []byte("PK\x03\x04"), Headers: amqp091.Table{
		"sensorId": int64(42), "hostId": int16(7), "nodeId": int32(0), "sensorHostName": "WS-042", "odd": amqp091.Table{"a": "b"}}})
	m = r.next()
	m.Settle(nil)
	if diff := cmp.Diff(map[string]string{"sensorId": "42", "hostId": "7", "nodeId": "0", "sensorHostName": "WS-042"}, m.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if m.Exchange != amqp.ExchangeRaw || m.RoutingKey != "" || m.ContentType != "application/zip" {
		t.Errorf("bundle = %+v", m)
	}

	// Not bound: bookkeeping that no rule can use.
	e.publish(amqp.ExchangeEvents, "cmd.feed.synchronize", amqp091.Publishing{Body: []byte("{}")})
	e.publish(amqp.ExchangeEvents, "watchlist.12.storage.hit.process", amqp091.Publishing{Body: []byte("{}")})
	if m := r.next(); m.RoutingKey != "watchlist.12.storage.hit.process" {
		t.Errorf("routing key %q, want the watchlist's", m.RoutingKey)
	} else {
		m.Settle(nil)
	}
}

func TestUnsettledAndFailedMessagesComeAgain(t *testing.T) {
	e := newEDR(t, both)
	c := e.config()
	c.Drain = time.Millisecond
	r := read(t, c)
	for i := range 4 {
		e.publish(amqp.ExchangeEvents, "feed.hit", amqp091.Publishing{Body: fmt.Append(nil, i)})
	}
	r.next().Settle(nil)                     // 0: done
	r.next().Settle(errors.New("disk full")) // 1: again
	seen := map[string]bool{}
	for range 3 {
		seen[string(r.next().Body)] = true // 2, 3 and 1 again: never settled
	}
	if !seen["1"] || !seen["2"] || !seen["3"] {
		t.Errorf("delivered %v, want 1 (again), 2 and 3", seen)
	}
	r.end()

	r = read(t, c)
	again := map[string]bool{}
	for range 3 {
		m := r.next()
		again[string(m.Body)] = true
		m.Settle(nil)
	}
	if diff := cmp.Diff(seen, again); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	r.end()
	r = read(t, c)
	if n, err := r.src.Depth(); n != 0 || err != nil {
		t.Errorf("depth %d (%v), want 0", n, err)
	}
	r.end()
}

func TestAHandlerThatGivesUpAtTheEndDoesNotHoldItUp(t *testing.T) {
	e := newEDR(t, both)
	c := e.config()
	c.Drain = time.Minute
	read(t, c).end() // makes the queue
	e.publish(amqp.ExchangeEvents, "feed.hit", amqp091.Publishing{Body: []byte("x")})
	src, err := amqp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	err = src.Read(ctx, func(ctx context.Context, _ events.Message) error { cancel(); return ctx.Err() })
	if took := time.Since(began); err != nil || took > 30*time.Second {
		t.Errorf("read ended with %v after %v; want no error, at once", err, took)
	}
	r := read(t, c)
	r.next().Settle(nil) // nobody had settled it
	r.end()
}

func TestPrefetchBoundsWhatIsUnsettled(t *testing.T) {
	e := newEDR(t, both)
	c := e.config()
	c.Prefetch, c.Drain = 3, time.Millisecond
	r := read(t, c)
	for i := range 10 {
		e.publish(amqp.ExchangeEvents, "feed.hit", amqp091.Publishing{Body: fmt.Append(nil, i)})
	}
	first := r.next()
	r.next()
	r.next()
	select {
	case m := <-r.got:
		t.Fatalf("%s was delivered beyond the prefetch", m.Body)
	case <-time.After(100 * time.Millisecond):
	}
	first.Settle(nil)
	if got := string(r.next().Body); got != "3" {
		t.Errorf("next is %s, want 3", got)
	}
	r.end()
}

func TestTheQueueIsBounded(t *testing.T) {
	e := newEDR(t, both)
	c := e.config()
	c.Queue.MaxBytes = 10_000
	read(t, c).end() // makes the queue
	for range 100 {
		e.publish(amqp.ExchangeEvents, "feed.hit", amqp091.Publishing{Body: bytes.Repeat([]byte("x"), 1000)})
	}
	e.publish(amqp.ExchangeEvents, "feed.hit", amqp091.Publishing{Body: []byte("newest")})
	r := read(t, c)
	n := 0
	for body := ""; body != "newest"; n++ {
		m := r.next()
		m.Settle(nil)
		body = string(m.Body)
	}
	if n > 11 {
		t.Errorf("the queue held %d messages, want 11 at most", n)
	}
	r.end()
}

func TestItReconnects(t *testing.T) {
	e := newEDR(t, both)
	c := e.config()
	r := read(t, c)
	for i := range 2 {
		e.publish(amqp.ExchangeEvents, "feed.hit", amqp091.Publishing{Body: fmt.Append(nil, i)})
		m := r.next()
		if string(m.Body) != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", m.Body, i)
		}
		m.Settle(nil)
		// The broker takes the queue away, as it does when it restarts.
		e.deleteQueue(c.Queue.Name)
		for _, err := r.src.Depth(); err != nil; _, err = r.src.Depth() {
			time.Sleep(5 * time.Millisecond)
		}
	}
	r.end()
}

func TestFinalErrors(t *testing.T) {
	e := newEDR(t, both)
	for _, c := range []struct {
		name   string
		change func(*amqp.Config)
		want   string
	}{
		{"wrong password", func(c *amqp.Config) { c.URL = strings.Replace(broker.URL, "edr:", "edr:x", 1) }, "username or password not allowed"},
		{"no such exchange", func(c *amqp.Config) { c.Bindings = []amqp.Binding{{Exchange: "api.none"}} }, "is this an EDR server?"},
		{"queue with other arguments", func(c *amqp.Config) { c.Queue.MaxLength = 7 }, "exists with other arguments"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sub := &edr{t, e.ch}
			config := sub.config()
			read(t, config).end()
			c.change(&config)
			src, err := amqp.New(config)
			if err != nil {
				t.Fatal(err)
			}
			err = src.Read(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if refused := errors.Is(err, amqp.ErrRefused); refused != (c.name == "wrong password") {
				t.Errorf("taken for a refused sign-in: %v", refused)
			}
			if password := strings.Split(broker.URL, ":")[2]; err != nil && strings.Contains(err.Error(), strings.Split(password, "@")[0]) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
	t.Run("handle fails", func(t *testing.T) {
		sub := &edr{t, e.ch}
		config := sub.config()
		read(t, config).end()
		e.publish(amqp.ExchangeEvents, "feed.hit", amqp091.Publishing{Body: []byte("x")})
		src, err := amqp.New(config)
		if err != nil {
			t.Fatal(err)
		}
		broken := errors.New("store is gone")
		if err := src.Read(t.Context(), func(context.Context, events.Message) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("error %v, want the handler's", err)
		}
	})
}

func TestOneExchangeIsEnough(t *testing.T) {
	e := newEDR(t, map[string]string{amqp.ExchangeEvents: "topic"})
	r := read(t, e.config())
	e.publish(amqp.ExchangeEvents, "alert.x", amqp091.Publishing{Body: []byte("{}")})
	r.next().Settle(nil)
	r.end()
}

func TestTLSWithClientCertificate(t *testing.T) {
	e := newEDR(t, both)
	c := e.config()
	c.URL = broker.TLS
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pki.CA)
	pair, err := tls.LoadX509KeyPair(pki.Client.Cert, pki.Client.Key)
	if err != nil {
		t.Fatal(err)
	}
	c.TLS = &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	r := read(t, c)
	e.publish(amqp.ExchangeEvents, "feed.hit", amqp091.Publishing{Body: []byte("{}")})
	r.next().Settle(nil)
	r.end()

	t.Run("without one nothing is read", func(t *testing.T) {
		c.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		var log bytes.Buffer
		c.Log = zerolog.New(&log)
		src, err := amqp.New(c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := src.Read(ctx, nil); err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), "out of reach") || strings.Contains(log.String(), "reading events") {
			t.Errorf("log:\n%s", &log)
		}
	})
}

// TestDocumentedPermissionsAreEnough holds docs/sources.md to its word.
func TestDocumentedPermissionsAreEnough(t *testing.T) {
	if testing.Short() {
		t.Skip("rabbitmqctl is slow")
	}
	e := newEDR(t, both)
	doc, err := os.ReadFile("../../../docs/sources.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(doc)) {
		command, ok := strings.CutPrefix(line, "# cbrabbitmqctl ")
		if !ok {
			continue
		}
		var args []string // words, or text in single quotes
		for i, part := range strings.Split(strings.TrimSpace(command), "'") {
			if i%2 == 1 {
				args = append(args, part)
			} else {
				args = append(args, strings.Fields(part)...)
			}
		}
		if err := broker.Control(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	c := e.config()
	c.URL = "amqp://edrpipe:" + url.PathEscape("a long password") + broker.URL[strings.Index(broker.URL, "@"):]
	c.Queue.Name = "edrpipe"
	defer e.deleteQueue("edrpipe")
	r := read(t, c)
	e.publish(amqp.ExchangeRaw, "", amqp091.Publishing{Body: []byte("x")})
	r.next().Settle(nil)
	r.end()
}

func TestBadConfigurations(t *testing.T) {
	for _, c := range []struct {
		name string
		in   amqp.Config
		want string
	}{
		{"no queue", amqp.Config{URL: "amqp://localhost"}, "needs a name"},
		{"no AMQP", amqp.Config{URL: "http://u:secret@localhost", Queue: amqp.Queue{Name: "q"}}, "scheme"},
		{"broken URL", amqp.Config{URL: "amqp://u:secret@local host:x", Queue: amqp.Queue{Name: "q"}}, "not valid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := amqp.New(c.in)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want one with %q and no password", err, c.want)
			}
		})
	}
}
