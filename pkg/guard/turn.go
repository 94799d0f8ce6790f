package guard

import (
	"context"
	"fmt"
)

// turn is a mutex whose Lock ends with a context: the holder may be blocked by the store.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for one's turn at the budgets: %w", context.Cause(ctx))
	}
}

func (t turn) give() { <-t }
