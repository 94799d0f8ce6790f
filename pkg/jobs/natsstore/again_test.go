package natsstore

import (
	"context"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/jobs/job"
)

// TestAWatchEndsWhenItsBucketIsGone: it would else wait for ever for revisions that
// begin anew.
func TestAWatchEndsWhenItsBucketIsGone(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"deleted": false, "deleted and made again": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			js := newJetStream(t, t.TempDir())
			store := newKV(t, js)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			synced, ended := make(chan struct{}), make(chan error, 1)
			go func() {
				ended <- store.Watch(ctx, func(c job.Change) {
					if c.Synced {
						close(synced)
					}
				})
			}()
			<-synced
			if err := js.DeleteKeyValue(ctx, "jobs"); err != nil {
				t.Fatal(err)
			}
			if again {
				newKV(t, js)
			}
			if err := <-ended; ctx.Err() != nil || !strings.Contains(err.Error(), "watch bucket jobs") {
				t.Errorf("the watch ended with %v", err)
			}
		})
	}
}
