package guard_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/guard"
)

// contended is a store on which somebody else is always quicker at first.
type contended struct {
	guard.Memory
	mu    sync.Mutex
	tries map[string]int
}

func (c *contended) Put(ctx context.Context, key string, value []byte, revision uint64) error {
	c.mu.Lock()
	c.tries[key]++
	lost := c.tries[key]%4 != 0
	c.mu.Unlock()
	if lost {
		return guard.ErrConflict
	}
	return c.Memory.Put(ctx, key, value, revision)
}

// TestWhoWaitsForHisTurnCanGiveUp: one is in and waits for the store, the others
// for him; who has no more time goes, and all others get their turn.
func TestWhoWaitsForHisTurnCanGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := guard.New(guard.Config{Store: &contended{tries: map[string]int{}}})
		over, stop := context.WithCancel(t.Context())
		stop()
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond / 4) // while another waits for the store
				if i == 19 {
					if _, _, err := g.Quota(over, "a", "late", 100, time.Hour); err == nil {
						t.Error("who was out of time got a turn")
					}
					return
				}
				if ok, _, err := g.Quota(t.Context(), "a", fmt.Sprint(i), 100, time.Hour); !ok || err != nil {
					t.Errorf("unit %d: %v, %v", i, ok, err)
				}
			})
		}
		all.Wait()
	})
}
