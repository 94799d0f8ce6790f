package service

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/seal"
)

// ledger keeps who wants what contained, in the bucket that all replicas share. It
// implements actions.Ledger.
type ledger struct{ store guard.Store }

// ledgerAttempts bounds how often a change is tried while other replicas write.
const ledgerAttempts = 100

// Update implements actions.Ledger.
func (l ledger) Update(ctx context.Context, key string, change func(*actions.Containment) error) (actions.Containment, error) {
	name := fmt.Sprintf("containment.%x", sha256.Sum256([]byte(key)))
	for attempt := range ledgerAttempts {
		text, revision, err := l.store.Get(ctx, name)
		if err != nil {
			return actions.Containment{}, err
		}
		c := actions.Containment{Key: key}
		if len(text) > 0 {
			if err := seal.Strict(text, &c, "key"); err != nil {
				return actions.Containment{}, fmt.Errorf("record %s is damaged: %w", name, err)
			}
			if c.Key != key {
				return actions.Containment{}, fmt.Errorf("record %s is of %q", name, c.Key)
			}
		}
		if err := change(&c); err != nil {
			return c, err
		}
		after, err := json.Marshal(c)
		if err != nil {
			return c, err
		}
		if string(after) == string(text) || len(text) == 0 && len(c.Reasons) == 0 && !c.Found {
			return c, nil
		}
		if err = l.store.Put(ctx, name, after, revision); !errors.Is(err, guard.ErrConflict) {
			return c, err
		}
		select {
		case <-ctx.Done():
			return c, context.Cause(ctx)
		case <-time.After(min(time.Duration(attempt)*time.Millisecond, 50*time.Millisecond)):
		}
	}
	return actions.Containment{}, fmt.Errorf("%w, %d times", guard.ErrConflict, ledgerAttempts)
}
