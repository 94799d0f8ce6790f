package http_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/http"
)

// BenchmarkPost posts 1,000 events at a time over a real connection: to a server
// that only reads them, and to the source.
func BenchmarkPost(b *testing.B) {
	const perPost = 1000
	event := `{"type":"ingress.event.netconn","pad":"` + strings.Repeat("x", 620) + `"}`
	all := make([]string, perPost)
	for i := range all {
		all[i] = event
	}
	run := func(b *testing.B, h nethttp.Handler) {
		srv := httptest.NewServer(h)
		defer srv.Close()
		b.SetBytes(perPost * int64(len(event)))
		posts := 0
		for b.Loop() {
			posts++
			resp, err := srv.Client().Post(srv.URL, "application/json", bytes.NewReader([]byte(envelope(fmt.Sprint(posts), all...))))
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != nethttp.StatusOK {
				b.Fatal(resp.Status)
			}
		}
		b.ReportMetric(float64(posts)*perPost/b.Elapsed().Seconds(), "events/s")
	}
	b.Run("read-only", func(b *testing.B) {
		run(b, nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				b.Error(err)
			}
		}))
	})
	b.Run("source", func(b *testing.B) {
		src, err := http.New(http.Config{Open: true})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		reading := make(chan error)
		go func() {
			reading <- src.Read(ctx, func(_ context.Context, m events.Message) error { m.Settle(nil); return nil })
		}()
		awaitReader(src)
		run(b, src)
		cancel()
		if err := <-reading; err != nil {
			b.Fatal(err)
		}
	})
}
