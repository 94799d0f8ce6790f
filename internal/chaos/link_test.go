//go:build linux

package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is a connection that can be cut, delayed, throttled and reset.
type link struct {
	name  string
	proxy *toxiproxy.Proxy
}

func newLink(t testing.TB, name, listen, upstream string) *link {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &link{name: name, proxy: toxiproxy.NewProxy(server, name, listen, strings.TrimPrefix(upstream, "http://"))}
	if err := l.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.proxy.Stop)
	return l
}

func (l *link) address() string { return l.proxy.Listen }

// cut refuses and ends every connection until mend.
func (l *link) cut() { l.proxy.Stop() }

func (l *link) mend() error { return l.proxy.Start() }

// spoil lets a toxic act in both directions until clear.
func (l *link) spoil(kind, attributes string) error {
	for _, stream := range []string{"upstream", "downstream"} {
		spec := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":%s}`, kind, stream, attributes)
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(spec)); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) clear() { l.proxy.Toxics.ResetToxics(context.Background()) }
