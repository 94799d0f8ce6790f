package actions

import (
	"context"
	"time"

	"edrpipe/pkg/edr"
)

// GetFileParams are the parameters of get_file.
type GetFileParams struct {
	Path   RemotePath `json:"path" required:"true" doc:"file on the endpoint"`
	Offset int64      `json:"offset" doc:"first byte to read"`
	Count  int64      `json:"count" doc:"bytes to read; 0: to the end"`

	Reach
}

// GetFileOutput is the output of get_file.
type GetFileOutput struct {
	Artifact Artifact `json:"artifact" doc:"the file as stored"`
	Path     string   `json:"path"`
	Size     int64    `json:"size" doc:"bytes"`
	SHA256   string   `json:"sha256"`
	MD5      string   `json:"md5" doc:"as ban_hash takes it"`
}

var _ = Register(Definition[GetFileParams, GetFileOutput]{
	Is: Spec{
		Name:        "get_file",
		Summary:     "Collect a file from the endpoint as evidence",
		Class:       Repeatable,
		Powers:      []edr.Power{edr.PowerFiles},
		Session:     true,
		Commands:    []string{"get file"},
		Permissions: []string{permitLiveResponse},
		Timeout:     time.Hour,
	},
	Do: func(ctx context.Context, t *Task, p GetFileParams) (GetFileOutput, error) {
		s, err := sessionWith[fileSession](ctx, t)
		if err != nil {
			return GetFileOutput{}, err
		}
		a, err := t.collectFile(ctx, s, string(p.Path), edr.Range{Offset: p.Offset, Count: p.Count})
		if err != nil {
			return GetFileOutput{}, err
		}
		return GetFileOutput{Artifact: a, Path: string(p.Path), Size: a.Size, SHA256: a.SHA256, MD5: a.MD5}, nil
	},
})
