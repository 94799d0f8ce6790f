package actions

import (
	"context"

	"edrpipe/pkg/edr"
)

// Sessions by the powers that actions need of them.
type (
	fileSession interface {
		edr.Session
		edr.Files
	}
	runSession interface {
		edr.Session
		edr.Files
		edr.Runner
	}
	processSession interface {
		edr.Session
		edr.Processes
	}
	memorySession interface {
		edr.Session
		edr.Files
		edr.Memory
	}
	archiveSession interface {
		edr.Session
		edr.Archiver
	}
)

// sessionWith opens the job's session on first use and returns it with the powers of P.
// Where the server's kind lacks one, the refusal names it and nothing was sent.
func sessionWith[P any](ctx context.Context, t *Task) (P, error) {
	s, err := t.Session(ctx)
	if err != nil {
		var none P
		return none, err
	}
	return edr.As[P](s)
}
