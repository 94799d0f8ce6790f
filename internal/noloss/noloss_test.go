package noloss

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"edrpipe/internal/natsd"
	"edrpipe/internal/rabbittest"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/events"
	edrjs "edrpipe/pkg/events/jetstream"
)

const (
	user     = "edrpipe"
	password = "n0loss"
	kills    = 10
	maxRSS   = 256 << 10 // KiB that a reading process may have needed
)

func TestMain(m *testing.M) {
	if text := os.Getenv(assignmentVariable); text != "" {
		if err := work(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// burst is how many events are sent on each route.
func burst(t *testing.T) int {
	text := os.Getenv("EDRPIPE_NOLOSS")
	if text == "" {
		return 5000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("EDRPIPE_NOLOSS=%s: %v", text, err)
	}
	return n
}

func body(n int) []byte {
	return fmt.Appendf(nil, `{"type":"ingress.event.netconn","n":%d,"pad":"%s"}`, n, strings.Repeat("x", 200))
}

// servers are the buses that all routes share.
type servers struct {
	bus    *bus.Bus
	url    string
	broker *rabbittest.Broker // nil: not installed
}

func TestKilledReadersLoseNothing(t *testing.T) {
	n := burst(t)
	s := startServers(t)
	for _, route := range []struct {
		name string
		send func(*testing.T, *servers, assignment, int)
	}{
		{"nats", sendNATS},
		{"amqp", sendAMQP},
		{"http", sendHTTP},
		{"amqp-bus", sendAMQP},
		{"http-bus", sendHTTP},
	} {
		t.Run(route.name, func(t *testing.T) {
			if strings.HasPrefix(route.name, "amqp") && s.broker == nil {
				t.Skip(rabbittest.ErrNotInstalled)
			}
			s.emptyStream(t)
			a := assignment{Route: route.name, Ledger: filepath.Join(t.TempDir(), "ledger"), Listen: freeAddress(t)}
			toBus := strings.HasSuffix(route.name, "-bus")
			if toBus || route.name == "nats" {
				a.NATS = s.url
			}
			if strings.HasPrefix(route.name, "amqp") {
				a.AMQP = s.broker.URL
			}
			var record record = &ledgerRecord{path: a.Ledger}
			if toBus {
				record = &streamRecord{s.bus}
			}
			began := time.Now()
			var sending sync.WaitGroup
			victims := &victims{t: t, a: a}
			victims.start()
			sending.Go(func() { route.send(t, s, a, n) })
			for i := range kills {
				record.reach(t, n*(i+1)/(kills+2))
				victims.kill()
				victims.start()
			}
			sending.Wait()
			record.reach(t, n)
			victims.kill()
			missing, recorded := record.missing(t, n)
			t.Logf("%d events, %d kills: %d missing, %d recorded twice, %v, peak memory of a reader %d MiB", n, kills, missing, recorded-(n-missing), time.Since(began).Round(time.Millisecond), victims.peak>>10)
			if missing > 0 {
				t.Errorf("%d of %d events are lost", missing, n)
			}
			if victims.peak > maxRSS {
				t.Errorf("a reader needed %d MiB, want %d at most", victims.peak>>10, maxRSS>>10)
			}
		})
	}
}

func startServers(t *testing.T) *servers {
	t.Helper()
	ns, err := natsd.Start(natsd.Config{Dir: t.TempDir(), Sync: time.Minute, Listen: "127.0.0.1:0", User: user, Pass: password})
	if err != nil {
		t.Fatal(err)
	}
	s := &servers{url: ns.URL()}
	if s.bus, err = bus.Connect(t.Context(), bus.Config{URL: s.url, User: user, Password: password}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.bus.Close()
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.bus.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.broker, err = rabbittest.Start(t.Context(), nil)
	if err != nil && !errors.Is(err, rabbittest.ErrNotInstalled) {
		t.Fatal(err)
	}
	if s.broker != nil {
		t.Cleanup(func() {
			if err := s.broker.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	return s
}

func (s *servers) emptyStream(t *testing.T) {
	t.Helper()
	stream, err := s.bus.JetStream().Stream(t.Context(), bus.StreamEvents)
	if err == nil {
		err = stream.Purge(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// freeAddress is where nobody listens now. The killed readers listen there one
// after another.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// victims are the reading processes, one at a time.
type victims struct {
	t    *testing.T
	a    assignment
	cmd  *exec.Cmd
	peak int // KiB of resident memory, the most that one had
}

func (v *victims) start() {
	v.t.Helper()
	text, err := json.Marshal(v.a)
	if err != nil {
		v.t.Fatal(err)
	}
	v.cmd = exec.Command(os.Args[0])
	v.cmd.Env = append(os.Environ(), assignmentVariable+"="+string(text))
	v.cmd.Stderr = os.Stderr
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
}

// kill is kill -9.
func (v *victims) kill() {
	v.t.Helper()
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.cmd.Process.Pid)) // not on every system
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			kib, _ := strconv.Atoi(f[1])
			v.peak = max(v.peak, kib)
		}
	}
	if err := v.cmd.Process.Kill(); err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Wait(); err == nil || v.cmd.ProcessState.Exited() {
		v.t.Fatalf("the reader ended by itself: %v", v.cmd.ProcessState)
	}
}

// record is where delivered events are found.
type record interface {
	reach(t *testing.T, n int)                          // waits until n different ones are there
	missing(t *testing.T, n int) (missing, entries int) // of events 0 to n-1
}

// patience is how long nothing may come before the test gives up.
const patience = 30 * time.Second

func await(t *testing.T, n int, count func() int) {
	t.Helper()
	last, since := -1, time.Now()
	for {
		now := count()
		switch {
		case now >= n:
			return
		case now != last:
			last, since = now, time.Now()
		case time.Since(since) > patience:
			t.Errorf("%d events are recorded, nothing came for %v; want %d", now, patience, n)
			t.FailNow()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// ledgerRecord reads the file that the readers write.
type ledgerRecord struct {
	path    string
	file    *os.File
	in      *bufio.Reader
	partial string
	seen    map[int]bool
	entries int
}

func (l *ledgerRecord) reach(t *testing.T, n int) {
	t.Helper()
	await(t, n, func() int { l.read(t); return len(l.seen) })
}

func (l *ledgerRecord) read(t *testing.T) {
	t.Helper()
	if l.file == nil {
		f, err := os.Open(l.path)
		if errors.Is(err, os.ErrNotExist) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		l.file, l.in, l.seen = f, bufio.NewReader(f), map[int]bool{}
	}
	for {
		text, err := l.in.ReadString('\n')
		l.partial += text
		if err != nil {
			return
		}
		if n, err := strconv.Atoi(strings.TrimSpace(l.partial)); err == nil { // not: cut by a kill
			l.seen[n] = true
			l.entries++
		}
		l.partial = ""
	}
}

func (l *ledgerRecord) missing(t *testing.T, n int) (missing, entries int) {
	l.read(t)
	for i := range n {
		if !l.seen[i] {
			missing++
		}
	}
	return missing, l.entries
}

// streamRecord looks into the stream onto which events are carried.
type streamRecord struct{ bus *bus.Bus }

func (s *streamRecord) reach(t *testing.T, n int) {
	t.Helper()
	stream, err := s.bus.JetStream().Stream(t.Context(), bus.StreamEvents)
	if err != nil {
		t.Fatal(err)
	}
	await(t, n, func() int {
		info, err := stream.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return int(info.State.Msgs)
	})
}

func (s *streamRecord) missing(t *testing.T, n int) (missing, entries int) {
	c, err := s.bus.JetStream().OrderedConsumer(t.Context(), bus.StreamEvents, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := c.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	seen := map[int]bool{}
	for pending := uint64(1); pending > 0; {
		m, err := messages.Next()
		if err != nil {
			t.Fatal(err)
		}
		meta, err := m.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		pending = meta.NumPending
		var e struct{ N int }
		if err := json.Unmarshal(m.Data(), &e); err != nil {
			t.Fatal(err)
		}
		seen[e.N] = true
		entries++
	}
	return n - len(seen), entries
}

// sendNATS publishes the burst.
func sendNATS(t *testing.T, s *servers, _ assignment, n int) {
	p := edrjs.NewPublisher(edrjs.PublisherConfig{JetStream: s.bus.JetStream()})
	for i := range n {
		m := events.Message{Body: body(i), Server: "edr01", Headers: map[string]string{edrjs.HeaderMessageID: t.Name() + strconv.Itoa(i)}}
		m.Settle = func(err error) {
			if err != nil {
				t.Errorf("event %d was not published: %v", i, err)
			}
		}
		if err := p.Carry(context.Background(), m); err != nil {
			t.Error(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// sendAMQP publishes the burst as an EDR server does: transient, once the
// reader's queue is there.
func sendAMQP(t *testing.T, s *servers, a assignment, n int) {
	conn, err := amqp091.Dial(s.broker.URL)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	for {
		ch, err := conn.Channel()
		if err == nil {
			err = ch.ExchangeDeclare(a.Route, "topic", true, false, false, false, nil)
		}
		if err != nil {
			t.Error(err)
			return
		}
		if q, err := ch.QueueDeclarePassive(a.Route, true, false, false, false, nil); err == nil && q.Consumers > 0 {
			for i := range n {
				if err := ch.PublishWithContext(context.Background(), a.Route, "ingress.event.netconn", false, false, amqp091.Publishing{ContentType: "application/json", Body: body(i)}); err != nil {
					t.Error(err)
					return
				}
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// sendHTTP posts the burst as the event forwarder does: files of events, each
// again and again until the answer is 200, and several at a time.
func sendHTTP(t *testing.T, _ *servers, a assignment, n int) {
	const file, atOnce = 50, 4
	client := &nethttp.Client{Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	var posts sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for from := 0; from < n; from += file {
		room <- struct{}{}
		posts.Go(func() {
			defer func() { <-room }()
			var text strings.Builder
			fmt.Fprintf(&text, `{"filename": "/spool/%d", "service": "carbonblack", "alerts":[`, from)
			for i := from; i < min(from+file, n); i++ {
				if i > from {
					text.WriteString("\n, ")
				}
				text.Write(body(i))
			}
			text.WriteString("]}")
			for !post(t, client, "http://"+a.Listen+"/v1/ingest", text.String()) {
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	posts.Wait()
}

// post reports whether the reader has taken the events.
func post(t *testing.T, client *nethttp.Client, url, text string) bool {
	req, err := nethttp.NewRequest(nethttp.MethodPost, url, strings.NewReader(text))
	if err != nil {
		t.Error(err)
		return true
	}
	req.Header.Set("Authorization", "Bearer "+password)
	resp, err := client.Do(req)
	if err != nil {
		return false // killed, or not there yet
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != nethttp.StatusOK && resp.StatusCode != nethttp.StatusServiceUnavailable {
		t.Errorf("answer %s", resp.Status)
		return true
	}
	return resp.StatusCode == nethttp.StatusOK
}
