// Command publish puts standard input as one event on the exchange api.events of
// a RabbitMQ, as an EDR server does: publish URL ROUTING-KEY.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rabbitmq/amqp091-go"
)

func main() {
	if err := publish(os.Args[1], os.Args[2], os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "publish:", err)
		os.Exit(1)
	}
}

// publish returns when the broker has put the event into a queue.
func publish(url, key string, body io.Reader) error {
	event, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	c, err := amqp091.Dial(url)
	if err != nil {
		return err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	done, err := ch.PublishWithDeferredConfirmWithContext(ctx, "api.events", key, true, false, amqp091.Publishing{ContentType: "application/json", Body: event})
	if err != nil {
		return err
	}
	if ok, err := done.WaitContext(ctx); err != nil || !ok {
		return fmt.Errorf("the broker did not take it: %v", err)
	}
	return nil
}
