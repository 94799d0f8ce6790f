package actions

import (
	"context"
	"strings"

	"edrpipe/pkg/edr"
)

// ListDirectoryParams are the parameters of list_directory.
type ListDirectoryParams struct {
	Path    RemotePath  `json:"path" required:"true" doc:"directory on the endpoint"`
	Pattern NamePattern `json:"pattern" default:"*" doc:"names to list, with * and ?"`

	Reach
}

// Entry is a file or directory on an endpoint.
type Entry struct {
	Path string `json:"path"`
	edr.DirEntry
}

// ListDirectoryOutput is the output of list_directory and walk.
type ListDirectoryOutput struct {
	Entries   []Entry `json:"entries"`
	Count     int     `json:"count"`
	Truncated bool    `json:"truncated" doc:"there was more than max"`
}

var _ = Register(Definition[ListDirectoryParams, ListDirectoryOutput]{
	Is: Spec{
		Name:        "list_directory",
		Summary:     "List a directory of the endpoint",
		Class:       Repeatable,
		Powers:      []edr.Power{edr.PowerFiles},
		Session:     true,
		Commands:    []string{"directory list"},
		Permissions: []string{permitLiveResponse},
	},
	Do: func(ctx context.Context, t *Task, p ListDirectoryParams) (ListDirectoryOutput, error) {
		s, err := sessionWith[fileSession](ctx, t)
		if err != nil {
			return ListDirectoryOutput{}, err
		}
		found, err := listDir(ctx, s, string(p.Path), string(p.Pattern))
		if err != nil {
			return ListDirectoryOutput{}, err
		}
		return ListDirectoryOutput{Entries: found, Count: len(found)}, nil
	},
})

// listDir lists the entries of dir whose names match pattern, without . and ..
func listDir(ctx context.Context, s fileSession, dir, pattern string) ([]Entry, error) {
	base := strings.TrimRight(dir, `\/`) + separator(s.OS())
	entries, err := s.List(ctx, base+pattern)
	if err != nil {
		return nil, err
	}
	found := make([]Entry, 0, len(entries))
	for _, e := range entries {
		// A name with a separator in it would lead the walk elsewhere.
		if e.Name == "." || e.Name == ".." || strings.ContainsAny(e.Name, `/\`) {
			continue
		}
		found = append(found, Entry{Path: base + e.Name, DirEntry: e})
	}
	return found, nil
}

func separator(os edr.OS) string {
	if os == edr.Windows {
		return `\`
	}
	return "/"
}
