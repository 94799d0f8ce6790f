package service

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/seal"
)

// ledger keeps who wants what contained, in the bucket that all replicas share. It
// implements actions.Ledger.
type ledger struct{ records }

// Update implements actions.Ledger.
func (l ledger) Update(ctx context.Context, key string, change func(*actions.Containment) error) (c actions.Containment, err error) {
	name := fmt.Sprintf("containment.%x", sha256.Sum256([]byte(key)))
	err = l.records.Update(ctx, name, func(before []byte) ([]byte, error) {
		c = actions.Containment{Key: key}
		if len(before) > 0 {
			if c, err = decodeContainment(before, key); err != nil {
				return nil, fmt.Errorf("record %s: %w", name, err)
			}
		}
		if err := change(&c); err != nil {
			return nil, err
		}
		after, err := json.Marshal(c)
		if err != nil || string(after) == string(before) || len(before) == 0 && len(c.Reasons) == 0 && !c.Found {
			return nil, err
		}
		return after, nil
	})
	return c, err
}

// decodeContainment reads the record of a key. The error is seal.ErrForeign.
func decodeContainment(record []byte, key string) (c actions.Containment, err error) {
	if err := seal.Strict(record, &c, "key"); err != nil {
		return actions.Containment{}, fmt.Errorf("%w: %w", seal.ErrForeign, err)
	}
	if c.Key != key {
		return actions.Containment{}, fmt.Errorf("it is of %q: %w", c.Key, seal.ErrForeign)
	}
	return c, nil
}
