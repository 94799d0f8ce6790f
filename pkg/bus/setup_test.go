package bus_test

import (
	"sync"
	"testing"
	"time"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
)

// TestReplicasSetUpAtOnce: what one has made and changed already is no error to
// another that was about to make it.
func TestReplicasSetUpAtOnce(t *testing.T) {
	for range 5 {
		ns := bustest.Serve(t, natsd.Config{Sync: time.Minute})
		var replicas sync.WaitGroup
		for range 6 {
			b, err := bus.Connect(t.Context(), bus.Config{InProcess: ns})
			if err != nil {
				t.Fatal(err)
			}
			replicas.Go(func() {
				defer b.Close()
				if err := b.Setup(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		replicas.Wait()
	}
}
