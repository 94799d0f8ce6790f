package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
)

// endless is a post that is long under way: one event after another, in pieces that the
// client does not keep back.
type endless struct{ sent atomic.Int64 }

// Read implements io.Reader.
func (e *endless) Read(p []byte) (int, error) {
	time.Sleep(5 * time.Millisecond) // or the limit of a post would be reached at once
	line := fmt.Sprintf(`{"type":"ingress.event.procstart","sensor_id":1,"timestamp":%d,"pid":%d,"path":"c:\\%s.exe","cb_server":"sim"}`+"\n", time.Now().Unix(), e.sent.Add(1), strings.Repeat("x", 4<<10))
	return copy(p, line), nil
}

// TestEndsDuringALargePost: what ends the service ends it within its grace, also while a
// post with a good token goes on.
func TestEndsDuringALargePost(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	s, err := newPlace(t, sim, listProcesses, "").open()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	posted, body := make(chan error, 1), new(endless)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/v1/ingest", io.NopCloser(body))
		if err == nil {
			req.Header.Set("Authorization", "Bearer "+ingestToken)
			var res *http.Response
			if res, err = http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
				err = fmt.Errorf("answered %d", res.StatusCode)
			}
		}
		posted <- err
	}()
	await(t, 20*time.Second, "a part of the post", func() bool { return body.sent.Load() > 50 })
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("run: %v", err)
		}
	case <-time.After(20 * time.Second): // the grace is 5 s
		t.Error("the service runs on as long as the post does")
	}
	select {
	case err := <-posted:
		if err == nil || errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "answered 200") {
			t.Errorf("the post that was cut off: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the sender is not told")
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
