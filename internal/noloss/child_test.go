package noloss

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	nethttp "net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/amqp"
	"edrpipe/pkg/events/http"
	"edrpipe/pkg/events/jetstream"
)

// assignment is what a child process is told to do.
type assignment struct {
	Route  string // nats, amqp, http: into the ledger; amqp-bus, http-bus: onto the bus
	NATS   string
	AMQP   string
	Listen string // address of the HTTP source
	Ledger string
}

// assignmentVariable holds a child's assignment as JSON.
const assignmentVariable = "EDRPIPE_NOLOSS_CHILD"

// work is the child: it reads until it is killed, or until a signal ends it.
func work(text string) error {
	var a assignment
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var b *bus.Bus
	if a.NATS != "" {
		var err error
		if b, err = bus.Connect(ctx, bus.Config{URL: a.NATS, User: user, Password: password}); err != nil {
			return err
		}
		defer b.Close()
	}
	src, err := a.source(b)
	if err != nil {
		return err
	}
	if a.Route == "amqp-bus" || a.Route == "http-bus" {
		p := jetstream.NewPublisher(jetstream.PublisherConfig{JetStream: b.JetStream()})
		return errors.Join(src.Read(ctx, p.Carry), p.Close())
	}
	l, err := openLedger(a.Ledger)
	if err != nil {
		return err
	}
	go l.run() // ends with the process
	return src.Read(ctx, l.record)
}

func (a assignment) source(b *bus.Bus) (events.Source, error) {
	switch a.Route {
	case "nats":
		return jetstream.New(jetstream.Config{
			JetStream: b.JetStream(), Stream: bus.StreamEvents, Durable: a.Route, Pull: 500, AckWait: time.Second,
		}), nil
	case "amqp", "amqp-bus":
		return amqp.New(amqp.Config{URL: a.AMQP, Queue: amqp.Queue{Name: a.Route}, Bindings: []amqp.Binding{{Exchange: a.Route, Keys: []string{"#"}}}})
	}
	src, err := http.New(http.Config{Tokens: []string{password}})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", a.Listen)
	if err != nil {
		return nil, err
	}
	go func() { _ = nethttp.Serve(l, src) }() // ends with the process
	return src, nil
}

// ledger stands for whoever takes responsibility: what is written survives the
// process. It settles events once they are written, some at a time, so there is
// always something on its way when the process is killed.
type ledger struct {
	file *os.File

	mu   sync.Mutex // guards the rest
	text bytes.Buffer
	kept []events.Message
}

func openLedger(path string) (*ledger, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString("\n") // the predecessor may have been killed within a line
	return &ledger{file: f}, err
}

// record takes one event.
func (l *ledger) record(_ context.Context, m events.Message) error {
	var e struct{ N int }
	if err := json.Unmarshal(m.Body, &e); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(&l.text, e.N)
	l.kept = append(l.kept, m)
	return nil
}

// run writes and settles what there is, until the process is killed.
func (l *ledger) run() {
	for range time.Tick(2 * time.Millisecond) {
		l.mu.Lock()
		text, kept := bytes.Clone(l.text.Bytes()), l.kept
		l.text.Reset()
		l.kept = nil
		l.mu.Unlock()
		if _, err := l.file.Write(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for _, m := range kept {
			m.Settle(nil)
		}
	}
}
