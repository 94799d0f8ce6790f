package jetstream_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/events/lines"
)

// Any source is bridged onto the bus by handing its messages to a publisher; what
// reads the bus is a source again.
func Example() {
	dir, err := os.MkdirTemp("", "")
	check(err)
	defer os.RemoveAll(dir)
	ns, err := natsd.Start(natsd.Config{Dir: dir})
	check(err)
	defer ns.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b, err := bus.Connect(ctx, bus.Config{InProcess: ns})
	check(err)
	defer b.Close()
	check(b.Setup(ctx))

	p := jetstream.NewPublisher(jetstream.PublisherConfig{JetStream: b.JetStream()})
	in := &lines.Stream{Origin: lines.Origin{Server: "edr01"}, From: strings.NewReader(`{"type":"feed.ingress.hit.process"}` + "\n")}
	check(in.Read(ctx, p.Carry)) // returns when the bus has confirmed every line
	check(p.Close())

	src := jetstream.New(jetstream.Config{JetStream: b.JetStream(), Stream: bus.StreamEvents, Durable: "rules"})
	err = src.Read(ctx, func(_ context.Context, m events.Message) error {
		fmt.Println(m.Server, string(m.Body))
		m.Settle(nil) // once it is safe
		cancel()
		return nil
	})
	check(err)
	// Output: edr01 {"type":"feed.ingress.hit.process"}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
