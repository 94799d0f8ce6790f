package guard

import (
	"context"
	"fmt"
)

// turn lets one in at a time, as a mutex does, and nobody wait longer than his
// context: who is in may be waiting for the store.
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
