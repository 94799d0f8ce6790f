package bus

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// TestABusLostDuringTheGreetingIsWaitedFor: a bus that is being restarted, or a
// proxy before it, accepts connections and ends or resets them at once. A start
// waits for it as for one that does not listen yet.
func TestABusLostDuringTheGreetingIsWaitedFor(t *testing.T) {
	for name, end := range map[string]func(net.Conn){
		"ended": func(c net.Conn) { _ = c.Close() },
		"reset": func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			tries := make(chan struct{}, 100)
			served := make(chan struct{})
			go func() {
				defer close(served)
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					end(c)
					tries <- struct{}{}
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			go func() {
				<-tries
				<-tries // it came back
				cancel()
			}()
			_, err = Connect(ctx, Config{URL: "nats://" + l.Addr().String(), Log: zerolog.Nop()})
			if err == nil || !strings.Contains(err.Error(), "connect to bus") || !errors.Is(ctx.Err(), context.Canceled) {
				t.Errorf("error = %v, context %v; want that it tried again until it was told not to", err, ctx.Err())
			}
			_ = l.Close()
			<-served
		})
	}
}
