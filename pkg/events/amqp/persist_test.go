package amqp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/amqp"
)

// TestPersist: what is wrong at the start is told by Trouble, does not end Read, and passes
// as soon as it is mended.
func TestPersist(t *testing.T) {
	e := newEDR(t, both)
	wrong := strings.Replace(broker.URL, "edr:", "edr:x", 1)
	for _, c := range []struct {
		name   string
		access func() (string, error) // until it is mended
		change func(*amqp.Config)
		want   error
	}{
		{"wrong password", func() (string, error) { return wrong, nil }, nil, amqp.ErrRefused},
		{"password file is gone", func() (string, error) { return "", fs.ErrNotExist }, nil, amqp.ErrAccess},
		{"no URL", func() (string, error) { return "amqp://u:secret@local host:x", nil }, nil, amqp.ErrAccess},
		{"no such exchange", nil, func(c *amqp.Config) { c.Bindings = []amqp.Binding{{Exchange: "api.late"}} }, amqp.ErrNoExchange},
	} {
		t.Run(c.name, func(t *testing.T) {
			sub := &edr{t, e.ch}
			config := sub.config()
			config.Persist = true
			var mended atomic.Bool
			config.Access = func() (string, *tls.Config, error) {
				if c.access == nil || mended.Load() {
					return broker.URL, nil, nil
				}
				at, err := c.access()
				return at, nil, err
			}
			if c.change != nil {
				c.change(&config)
			}
			src, err := amqp.New(config)
			if err != nil {
				t.Fatal(err)
			}
			if err := src.Trouble(); !errors.Is(err, amqp.ErrNotReading) {
				t.Errorf("before Read: %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				done <- src.Read(ctx, func(context.Context, events.Message) error { return nil })
			}()
			become := func(want error) {
				t.Helper()
				deadline := time.After(20 * time.Second)
				for !errors.Is(src.Trouble(), want) {
					select {
					case err := <-done:
						t.Fatalf("read ended: %v", err)
					case <-deadline:
						t.Fatalf("trouble is %v, want %v", src.Trouble(), want)
					case <-time.After(5 * time.Millisecond):
					}
				}
			}
			become(c.want)
			if text := src.Trouble().Error(); strings.Contains(text, "secret") || strings.Contains(text, "edr:x") {
				t.Errorf("the error tells the password: %s", text)
			}
			mended.Store(true)
			if c.change != nil {
				if err := e.ch.ExchangeDeclare("api.late", "topic", false, true, false, false, nil); err != nil {
					t.Fatal(err)
				}
			}
			become(nil)
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
