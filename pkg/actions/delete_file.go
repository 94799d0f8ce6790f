package actions

import (
	"context"
	"errors"
	"io/fs"

	"edrpipe/pkg/edr"
)

// DeleteFileParams are the parameters of delete_file.
type DeleteFileParams struct {
	Path RemotePath `json:"path" required:"true" doc:"file on the endpoint"`

	Reach
}

// DeleteFileOutput is the output of delete_file.
type DeleteFileOutput struct {
	Path    string `json:"path"`
	Deleted bool   `json:"deleted" doc:"false: it was not there"`
}

var _ = Register(Definition[DeleteFileParams, DeleteFileOutput]{
	Is: Spec{
		Name:        "delete_file",
		Summary:     "Delete one file from the endpoint",
		Class:       Checkable,
		Powers:      []edr.Power{edr.PowerFiles},
		Session:     true,
		Destructive: true,
		Commands:    []string{"delete file", "directory list"},
		Permissions: []string{permitLiveResponse},
	},
	Do: func(ctx context.Context, t *Task, p DeleteFileParams) (DeleteFileOutput, error) {
		out := DeleteFileOutput{Path: string(p.Path)}
		s, err := sessionWith[fileSession](ctx, t)
		if err != nil {
			return out, err
		}
		err = s.DeleteFile(ctx, string(p.Path))
		if errors.Is(err, fs.ErrNotExist) {
			return out, nil
		}
		out.Deleted = err == nil
		return out, err
	},
	Already: func(ctx context.Context, t *Task, p DeleteFileParams) (bool, DeleteFileOutput, error) {
		out := DeleteFileOutput{Path: string(p.Path), Deleted: true}
		s, err := sessionWith[fileSession](ctx, t)
		if err != nil {
			return false, out, err
		}
		_, err = stat(ctx, s, string(p.Path))
		if errors.Is(err, fs.ErrNotExist) {
			return true, out, nil
		}
		return false, DeleteFileOutput{}, err
	},
})
