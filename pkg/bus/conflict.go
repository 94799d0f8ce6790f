package bus

import (
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// underWay is the server's JSStreamWrongLastSequenceConstantErr: on a replicated stream
// consensus on another write to the subject is in progress. That write may still fail.
const underWay = 10164

// IsConflict reports whether a write was refused because somebody else wrote the
// subject: what was read of it is out of date, or about to be.
func IsConflict(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) ||
		errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == underWay)
}

func isUnderWay(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == underWay
}
