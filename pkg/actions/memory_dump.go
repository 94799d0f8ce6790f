package actions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"edrpipe/pkg/edr"
)

// MemoryDumpParams are the parameters of memory_dump.
type MemoryDumpParams struct {
	Path RemotePath `json:"path" doc:"where the endpoint writes the image; empty: its temporary directory"`
	Raw  bool       `json:"raw" doc:"do not compress on the endpoint"`
	Keep bool       `json:"keep" doc:"leave the image on the endpoint afterwards"`

	Reach
}

var _ = Register(Definition[MemoryDumpParams, GetFileOutput]{
	Is: Spec{
		Name:        "memory_dump",
		Summary:     "Dump the endpoint's memory and collect the image",
		Class:       Repeatable,
		Powers:      []edr.Power{edr.PowerMemory, edr.PowerFiles},
		Session:     true,
		Destructive: true, // it writes gigabytes to the disk
		Commands:    []string{"memdump", "get file", "delete file"},
		Platforms:   []edr.OS{edr.Windows},
		Permissions: []string{permitLiveResponse},
		Timeout:     2 * time.Hour,
	},
	Do: func(ctx context.Context, t *Task, p MemoryDumpParams) (GetFileOutput, error) {
		s, err := sessionWith[memorySession](ctx, t)
		if err != nil {
			return GetFileOutput{}, err
		}
		path := string(p.Path)
		if path == "" {
			path = t.tempPath(s.OS(), ".dmp")
		}
		remote, err := s.DumpMemory(ctx, path, !p.Raw, func(percent int) {
			t.progress(fmt.Sprintf("memory dump %d %%", percent))
		})
		if err != nil {
			return GetFileOutput{}, err
		}
		a, err := t.collectFile(ctx, s, remote, edr.Range{})
		if err != nil {
			return GetFileOutput{}, err
		}
		if !p.Keep {
			if err := s.DeleteFile(ctx, remote); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return GetFileOutput{}, err
			}
		}
		return GetFileOutput{Artifact: a, Path: remote, Size: a.Size, SHA256: a.SHA256, MD5: a.MD5}, nil
	},
})

// progress reports the progress of a long step.
func (t *Task) progress(text string) {
	if t.Progress != nil {
		t.Progress(text)
	}
}
