package actions

import (
	"context"
	"fmt"
	"io"
	"time"

	"edrpipe/pkg/edr"
)

// SessionArchiveParams are the parameters of session_archive.
type SessionArchiveParams struct{}

// SessionArchiveOutput is the output of session_archive.
type SessionArchiveOutput struct {
	Artifact Artifact `json:"artifact" doc:"gzip-compressed tar of commands, results and files"`
}

var _ = Register(Definition[SessionArchiveParams, SessionArchiveOutput]{
	Is: Spec{
		Name:        "session_archive",
		Summary:     "Store the whole record of this session: commands, results and files",
		Class:       Repeatable,
		Powers:      []edr.Power{edr.PowerArchive},
		Session:     true,
		Permissions: []string{permitLiveResponse},
		Timeout:     time.Hour,
	},
	Do: func(ctx context.Context, t *Task, _ SessionArchiveParams) (SessionArchiveOutput, error) {
		s, err := sessionWith[archiveSession](ctx, t)
		if err != nil {
			return SessionArchiveOutput{}, err
		}
		name := fmt.Sprintf("session-%s.tar.gz", s.Info().ID)
		a, err := t.keep(ctx, Artifact{Name: name}, func(w io.Writer) error { return s.Archive(ctx, w) })
		if err != nil {
			return SessionArchiveOutput{}, fmt.Errorf("archive session %s of sensor %s: %w", s.Info().ID, t.Sensor.ID, err)
		}
		return SessionArchiveOutput{Artifact: a}, nil
	},
})
