package conflict

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err          error
		is, underWay bool
	}{
		"none":          {nil, false, false},
		"key exists":    {jetstream.ErrKeyExists, true, false},
		"sequence":      {&jetstream.APIError{ErrorCode: 10071}, true, false},
		"under way":     {&jetstream.APIError{ErrorCode: 10164}, true, true},
		"no stream":     {&jetstream.APIError{ErrorCode: 10059}, false, false},
		"something":     {errors.New("no responders"), false, false},
		"key not there": {jetstream.ErrKeyNotFound, false, false},
	} {
		err := c.err
		if err != nil {
			err = fmt.Errorf("write: %w", err)
		}
		if Is(err) != c.is || UnderWay(err) != c.underWay {
			t.Errorf("%s: %v, %v", name, Is(err), UnderWay(err))
		}
	}
}
