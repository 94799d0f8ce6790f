package jetstream

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// mute is a JetStream that confirms no message but the last of so many.
type mute struct {
	natsjs.JetStream
	sent, of int
}

type future struct {
	natsjs.PubAckFuture
	m  *nats.Msg
	ok chan *natsjs.PubAck
}

func (f future) Ok() <-chan *natsjs.PubAck { return f.ok }
func (f future) Err() <-chan error         { return nil }
func (f future) Msg() *nats.Msg            { return f.m }

func (s *mute) PublishMsgAsync(m *nats.Msg, _ ...natsjs.PublishOpt) (natsjs.PubAckFuture, error) {
	f := future{m: m, ok: make(chan *natsjs.PubAck, 1)}
	if s.sent++; s.sent == s.of {
		f.ok <- &natsjs.PubAck{}
	}
	return f, nil
}

// TestEachMessageHasItsTimeFromWhenItWasSent: many that a stream does not confirm
// are not waited for one after the other, and one that it did confirm behind them
// is not lost.
func TestEachMessageHasItsTimeFromWhenItWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sent = 100
		failed, kept, told := 0, 0, 0
		p := NewPublisher(PublisherConfig{JetStream: &mute{of: sent}, Timeout: 20 * time.Second, Ended: func(err error) {
			if errors.Is(err, nats.ErrTimeout) {
				told++
			}
		}})
		began := time.Now()
		for range sent {
			err := p.send(t.Context(), nats.NewMsg("edr.events.x"), func(err error) {
				if err != nil {
					failed++
				} else {
					kept++
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 20*time.Second || failed != sent-1 || told != failed || kept != 1 {
			t.Errorf("%d failed, %d told, %d kept in %v; want %d, as many, one, in 20s", failed, told, kept, took, sent-1)
		}
	})
}
