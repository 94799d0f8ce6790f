// Package conflict recognises writes to JetStream that were refused because somebody
// else wrote the subject first.
package conflict

import (
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// underWay is the server's JSStreamWrongLastSequenceConstantErr: on a replicated stream
// consensus on another write to the subject is in progress. That write may still fail.
const underWay = 10164

// Is reports whether a write was refused because the subject has changed since it was
// read, or because another write to it is in progress.
func Is(err error) bool {
	return errors.Is(err, jetstream.ErrKeyExists) || has(err, jetstream.JSErrCodeStreamWrongLastSequence) || UnderWay(err)
}

// UnderWay reports whether the other write is not decided yet.
func UnderWay(err error) bool { return has(err, underWay) }

func has(err error, code jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == code
}
