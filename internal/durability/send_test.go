package durability

import (
	"context"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/amqp"
	"edrpipe/pkg/events/jetstream"
)

// again is the delay before a sender retries a message that was refused.
const again = 20 * time.Millisecond

// sendNATS publishes the burst and retries every message without a confirmation.
func sendNATS(ctx context.Context, t *testing.T, p *place, n int) {
	b := p.connect(t)
	var mu sync.Mutex
	left := make([]int, n)
	for i := range left {
		left[i] = i
	}
	for len(left) > 0 && ctx.Err() == nil {
		pub := jetstream.NewPublisher(jetstream.PublisherConfig{JetStream: b.JetStream(), Timeout: 5 * time.Second})
		now := left[:min(len(left), 1000)]
		var failed []int
		for _, i := range now {
			m := events.Message{Body: p.body(i), Server: "sim", ID: strconv.Itoa(i)}
			m.Settle = func(err error) {
				if err != nil {
					mu.Lock()
					failed = append(failed, i)
					mu.Unlock()
				}
			}
			if err := pub.Carry(ctx, m); err != nil {
				t.Error(err)
			}
		}
		if err := pub.Close(); err != nil {
			t.Error(err)
		}
		left = append(left[len(now):], failed...)
		if len(failed) > 0 {
			time.Sleep(again)
		}
	}
}

// sendAMQP publishes the burst as an EDR server does, as transient messages, after the
// service has declared its queue. Messages without a confirmation are retried, since
// the sender's own connection may break, too.
func sendAMQP(ctx context.Context, t *testing.T, p *place, n int) {
	for from := 0; from < n && ctx.Err() == nil; {
		sent, err := p.publishAMQP(ctx, from, n)
		if from = sent; err != nil {
			if from > 0 {
				t.Logf("the sender begins again at event %d: %v", from, err)
			}
			time.Sleep(again)
		}
	}
}

// publishAMQP publishes events on one connection and returns up to where the
// broker has them.
func (p *place) publishAMQP(ctx context.Context, from, n int) (int, error) {
	conn, err := amqp091.Dial(p.broker)
	if err != nil {
		return from, err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return from, err
	}
	q, err := ch.QueueDeclarePassive("edrpipe", true, false, false, false, nil)
	if err == nil && q.Consumers == 0 && from == 0 {
		err = errors.New("nobody reads yet")
	}
	if err != nil {
		return from, err
	}
	if err := ch.Confirm(false); err != nil {
		return from, err
	}
	for from < n {
		to := min(from+500, n)
		var sent []*amqp091.DeferredConfirmation
		for i := from; i < to; i++ {
			m := amqp091.Publishing{ContentType: "application/json", Body: p.body(i)}
			c, err := ch.PublishWithDeferredConfirmWithContext(ctx, amqp.ExchangeEvents, "ingress.event.procstart", false, false, m)
			if err != nil {
				return from, err
			}
			sent = append(sent, c)
		}
		for _, c := range sent {
			ok, err := c.WaitContext(ctx)
			if err == nil && !ok {
				err = errors.New("not confirmed")
			}
			if err != nil {
				return from, err
			}
		}
		from = to
	}
	return from, nil
}

// sendHTTP posts the burst as the event forwarder does: files of events, each
// again and again until the answer is 200, and several at a time.
func sendHTTP(ctx context.Context, t *testing.T, p *place, n int) {
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
				text.Write(p.body(i))
			}
			text.WriteString("]}")
			for ctx.Err() == nil && !post(ctx, t, client, "http://"+p.listen+"/v1/ingest", text.String()) {
				time.Sleep(again)
			}
		})
	}
	posts.Wait()
}

// post reports whether the service has taken the events.
func post(ctx context.Context, t *testing.T, client *nethttp.Client, url, text string) bool {
	req, err := nethttp.NewRequestWithContext(ctx, nethttp.MethodPost, url, strings.NewReader(text))
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
