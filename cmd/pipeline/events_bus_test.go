package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rabbitmq/amqp091-go"

	"edrpipe/internal/fixtures"
	"edrpipe/internal/natsd"
	"edrpipe/internal/rabbittest"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/amqp"
	"edrpipe/pkg/events/jetstream"
)

// testBus is a bus that listens, with the flags that lead a command to it.
type testBus struct {
	*bus.Bus
	flags []string
}

func startTestBus(t *testing.T) *testBus {
	t.Helper()
	ns := bustest.Serve(t, natsd.Config{Sync: time.Minute, Listen: "127.0.0.1:0", User: "u", Pass: "p4ss"})
	b := bustest.Connect(t, bus.Config{URL: ns.URL(), User: "u", Password: "p4ss"})
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("p4ss\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &testBus{b, []string{"--nats", ns.URL(), "--user", "u", "--password-file", password}}
}

// pipeline runs a command as it would be typed, against the bus.
func (b *testBus) pipeline(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), append(args, b.flags...), strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

// want runs a command that must succeed and print each of the texts.
func (b *testBus) want(t *testing.T, texts []string, args ...string) string {
	t.Helper()
	status, out, errs := b.pipeline(t, args...)
	if status != exitOK {
		t.Fatalf("%q: status %d\n%s%s", args, status, out, errs)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("%q: %q is not in\n%s", args, text, out)
		}
	}
	return out
}

const netconn = `{"type":"ingress.event.netconn","event_type":"netconn","sensor_id":42,"computer_name":"WS-042","timestamp":1725526402,"process_guid":"0000002a-0000-113c-01da-ff710e784000","process_path":"c:\\windows\\system32\\rundll32.exe","pid":%d,"remote_ip":"203.0.113.9","remote_port":443,"direction":"outbound","protocol":6,"cb_server":"edr01"}`

func recording(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.ndjson.gz")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for i := range n {
		fmt.Fprintf(z, netconn+"\n", i+1)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPublishTailStats(t *testing.T) {
	b := startTestBus(t)
	file := recording(t, 100)
	b.want(t, []string{"100 messages on the bus"}, "events", "publish", "--server", "edr01", file)
	b.want(t, []string{"100 messages on the bus"}, "events", "publish", "--server", "edr01", "--once", file)
	b.want(t, []string{"0 messages on the bus", "100 were there already"}, "events", "publish", "--server", "edr01", "--once", file)
	b.want(t, []string{"200 events", "ingress.event.netconn", "42 WS-042", "100.0 %"}, "events", "stats")
	statsForPrograms(t, b)

	out := b.want(t, nil, "events", "tail", "--since", "1h", "--count", "1", "--output", "json", "--filter", `event.kind == "network" and process.pid == 77`)
	var e struct {
		Event struct{ Transport, Server string }
		Net   struct {
			RemotePort int `json:"remote_port"`
		}
		Process struct{ PID int }
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatal(err)
	}
	if e.Process.PID != 77 || e.Net.RemotePort != 443 || e.Event.Transport != "nats" || e.Event.Server != "edr01" {
		t.Errorf("event = %s", out)
	}
	b.want(t, []string{"network", "WS-042(42)", "rundll32.exe", "203.0.113.9:443"}, "events", "tail", "--since", "1h", "-n", "3")
}

// TestMessagesOverTheBus publishes a recording of an EDR's bus: what comes out again is
// what was in it.
func TestMessagesOverTheBus(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, _ bool) {
		count := func(name string) int {
			lines, err := os.ReadFile(filepath.Join(dir, "events", "dev", name))
			if err != nil {
				t.Fatal(err)
			}
			return bytes.Count(lines, []byte("\n"))
		}
		recording := filepath.Join(dir, "events", "dev", "bus.jsonl")
		b := startTestBus(t)
		b.want(t, []string{fmt.Sprintf("%d messages on the bus", count("bus.jsonl"))}, "events", "publish", "--server", "edr01", "--rate", "5000", recording)
		direct := b.convert(t, recording)
		over := b.want(t, nil, "events", "tail", "--since", "1h", "--count", fmt.Sprint(count("expect.jsonl")), "--output", "json")
		if got, want := eventIDs(t, over), eventIDs(t, direct); !maps.Equal(got, want) {
			t.Errorf("%d different events over the bus, %d in the recording", len(got), len(want))
		}
	})
}

func (b *testBus) convert(t *testing.T, file string) string {
	t.Helper()
	var out, errs bytes.Buffer
	run(t.Context(), []string{"events", "convert", "--server", "edr01", file}, nil, &out, &errs)
	return out.String()
}

// eventIDs counts the ids in lines of events.
func eventIDs(t *testing.T, text string) map[string]int {
	t.Helper()
	ids := map[string]int{}
	for line := range strings.Lines(text) {
		var e struct{ Event struct{ ID string } }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		ids[e.Event.ID]++
	}
	return ids
}

func TestTailEndsWithItsContext(t *testing.T) {
	b := startTestBus(t)
	b.want(t, []string{"3 messages on the bus"}, "events", "publish", "--server", "edr01", recording(t, 3))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var errs bytes.Buffer
	// The first line that it prints interrupts it: it would wait for more.
	if status := run(ctx, append([]string{"events", "tail", "--since", "1h"}, b.flags...), nil, onWrite(cancel), &errs); status != exitOK {
		t.Errorf("status %d\n%s", status, &errs)
	}
}

// onWrite is called for whatever is written.
type onWrite func()

func (f onWrite) Write(p []byte) (int, error) { f(); return len(p), nil }

func TestBusMistakes(t *testing.T) {
	t.Chdir(t.TempDir()) // no pipeline.yaml here
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"events", "stats"}, exitUsage, "no bus"},
		{[]string{"events", "stats", "--nats", "nats://127.0.0.1:1", "--wait", "100ms"}, exitFailure, "connect to bus"},
		{[]string{"events", "tail", "--filter", "process.nmae == 1"}, exitUsage, "did you mean"},
		{[]string{"events", "tail", "--output", "xml"}, exitUsage, "want text or json"},
		{[]string{"bridge", "amqp"}, exitUsage, "no EDR bus"},
	} {
		var out, errs bytes.Buffer
		if status := run(t.Context(), c.args, nil, &out, &errs); status != c.status || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%q: status %d, %q; want %d, %q", c.args, status, &errs, c.status, c.want)
		}
	}
}

// statsForPrograms checks the JSON of events stats on a bus with 200 events of a type.
func statsForPrograms(t *testing.T, b *testBus) {
	t.Helper()
	var got statsSummary
	if err := json.Unmarshal([]byte(b.want(t, nil, "events", "stats", "-o", "json", "--top", "0")), &got); err != nil {
		t.Fatal(err)
	}
	want := statsSummary{Events: 200, First: got.First, Last: got.Last, Types: []statsLine{{Others: 1, Count: 200}}, Sensors: []statsLine{{Others: 1, Count: 200}}, NotAnEvent: []statsLine{}}
	if diff := cmp.Diff(want, got); diff != "" || got.First.IsZero() || got.Last.Before(got.First) {
		t.Errorf("of %s to %s (-want +got):\n%s", got.First, got.Last, diff)
	}
	b.want(t, []string{`"name": "ingress.event.netconn"`, `"count": 200`}, "events", "stats", "-o", "json")
	b.want(t, []string{"events: 200"}, "events", "stats", "-o", "yaml")
}

// TestBridgeAMQP carries messages from a real RabbitMQ onto a real NATS.
func TestBridgeAMQP(t *testing.T) {
	broker, err := rabbittest.Start(t.Context(), nil)
	if errors.Is(err, rabbittest.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := broker.Stop(); err != nil {
			t.Error(err)
		}
	}()
	conn, err := amqp091.Dial(broker.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{amqp.ExchangeEvents: "topic", amqp.ExchangeRaw: "fanout"} {
		if err := ch.ExchangeDeclare(name, kind, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	b := startTestBus(t)
	ctx, cancel := context.WithCancel(t.Context())
	var bridging sync.WaitGroup
	bridging.Go(func() {
		var out, errs bytes.Buffer
		if status := run(ctx, append([]string{"bridge", "amqp", "--amqp", broker.URL, "--server", "edr01"}, b.flags...), nil, &out, &errs); status != exitOK {
			t.Errorf("status %d\n%s", status, &errs)
		}
	})
	defer bridging.Wait()
	defer cancel()

	src := jetstream.New(jetstream.Config{JetStream: b.JetStream(), Stream: bus.StreamEvents, Durable: "rules"})
	got := make(chan events.Message)
	reading, stop := context.WithCancel(t.Context())
	var reader sync.WaitGroup
	reader.Go(func() {
		if err := src.Read(reading, func(ctx context.Context, m events.Message) error {
			m.Settle(nil)
			select {
			case got <- m:
			case <-ctx.Done():
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	defer reader.Wait()
	defer stop()

	// Until the bridge has bound its queue, what is published goes nowhere.
	publish := func(exchange, key string, p amqp091.Publishing) {
		t.Helper()
		if err := ch.PublishWithContext(t.Context(), exchange, key, false, false, p); err != nil {
			t.Fatal(err)
		}
	}
	for {
		publish(amqp.ExchangeEvents, "feed.24.ingress.hit.process", amqp091.Publishing{ContentType: "application/json", Body: []byte(`{"feed_id":24}`)})
		select {
		case m := <-got:
			if m.RoutingKey != "feed.24.ingress.hit.process" || m.Server != "edr01" || m.Exchange != amqp.ExchangeEvents {
				t.Errorf("message = %+v", m)
			}
		case <-time.After(50 * time.Millisecond):
			continue
		}
		break
	}
	publish(amqp.ExchangeRaw, "", amqp091.Publishing{ContentType: "application/zip", Body: []byte("PK\x03\x04bundle"), Headers: amqp091.Table{"sensorId": int64(42)}})
	m := <-got
	if m.Exchange != amqp.ExchangeRaw || m.Headers["sensorId"] != "42" || m.ContentType != "application/zip" || string(m.Body) != "PK\x03\x04bundle" {
		t.Errorf("bundle = %+v", m)
	}
}
