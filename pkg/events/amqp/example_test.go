package amqp_test

import (
	"context"
	"fmt"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/amqp"
)

// Read what an EDR server reports, with a queue that holds 64 MiB at most and goes
// when nobody has read it for ten minutes.
func ExampleSource() {
	src, err := amqp.New(amqp.Config{
		URL:    "amqp://cb:password@edr.example:5004/",
		Server: "edr01",
		Queue:  amqp.Queue{Name: "edrpipe", MaxBytes: 64 << 20, Expires: 10 * time.Minute},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(src.Name())
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // in earnest: when the service ends
	err = src.Read(ctx, func(_ context.Context, m events.Message) error {
		fmt.Println(m.RoutingKey)
		m.Settle(nil)
		return nil
	})
	fmt.Println(err)
	// Output:
	// amqp:edr.example:5004/edrpipe
	// <nil>
}
