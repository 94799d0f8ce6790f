package actions

import (
	"context"
	"errors"
	"io/fs"

	"edrpipe/pkg/edr"
)

// CreateDirectoryParams are the parameters of create_directory.
type CreateDirectoryParams struct {
	Path RemotePath `json:"path" required:"true" doc:"directory to create; its parent must exist"`

	Reach
}

// CreateDirectoryOutput is the output of create_directory.
type CreateDirectoryOutput struct {
	Path    string `json:"path"`
	Created bool   `json:"created" doc:"false: it was there"`
}

var _ = Register(Definition[CreateDirectoryParams, CreateDirectoryOutput]{
	Is: Spec{
		Name:        "create_directory",
		Summary:     "Create a directory on the endpoint",
		Class:       Checkable,
		Powers:      []edr.Power{edr.PowerFiles},
		Session:     true,
		Destructive: true,
		Commands:    []string{"create directory", "directory list"},
		Permissions: []string{permitLiveResponse},
	},
	Do: func(ctx context.Context, t *Task, p CreateDirectoryParams) (CreateDirectoryOutput, error) {
		out := CreateDirectoryOutput{Path: string(p.Path)}
		s, err := sessionWith[fileSession](ctx, t)
		if err != nil {
			return out, err
		}
		err = s.MakeDir(ctx, string(p.Path))
		if errors.Is(err, fs.ErrExist) {
			return out, nil
		}
		out.Created = err == nil
		return out, err
	},
	Already: func(ctx context.Context, t *Task, p CreateDirectoryParams) (bool, CreateDirectoryOutput, error) {
		s, err := sessionWith[fileSession](ctx, t)
		if err != nil {
			return false, CreateDirectoryOutput{}, err
		}
		e, err := stat(ctx, s, string(p.Path))
		if errors.Is(err, fs.ErrNotExist) {
			return false, CreateDirectoryOutput{}, nil
		}
		return err == nil && e.Dir, CreateDirectoryOutput{Path: string(p.Path), Created: true}, err
	},
})
