package actions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"edrpipe/pkg/edr"
)

// WalkParams are the parameters of walk.
type WalkParams struct {
	Path  RemotePath `json:"path" required:"true" doc:"directory to begin in"`
	Depth int        `json:"depth" default:"3" doc:"levels below it"`
	Max   int        `json:"max" default:"1000" doc:"entries at most"`

	Reach
}

var _ = Register(Definition[WalkParams, ListDirectoryOutput]{
	Is: Spec{
		Name:        "walk",
		Summary:     "List a directory tree of the endpoint",
		Class:       Repeatable,
		Session:     true,
		Commands:    []string{"directory list"},
		Permissions: []string{permitLiveResponse},
	},
	Do: func(ctx context.Context, t *Task, p WalkParams) (ListDirectoryOutput, error) {
		s, err := sessionWith[fileSession](ctx, t)
		if err != nil {
			return ListDirectoryOutput{}, err
		}
		var out ListDirectoryOutput
		out.Truncated, err = walkTree(ctx, s, string(p.Path), p.Depth, func(e Entry) bool {
			if len(out.Entries) == p.Max {
				return false
			}
			out.Entries = append(out.Entries, e)
			return true
		})
		if err != nil {
			return ListDirectoryOutput{}, fmt.Errorf("walk %s on sensor %s: %w", edr.Quote(string(p.Path)), t.Sensor.ID, err)
		}
		out.Count = len(out.Entries)
		return out, nil
	},
})

// walkTree visits the entries below root, nearest first, until visit says no;
// it reports whether it was stopped. Directories below root that cannot be read
// are passed over; links that Windows marks are not followed, so a loop ends.
func walkTree(ctx context.Context, s fileSession, root string, depth int, visit func(Entry) bool) (stopped bool, err error) {
	level := []string{root}
	for ; len(level) > 0 && depth >= 0; depth-- {
		var next []string
		for _, dir := range level {
			entries, err := listDir(ctx, s, dir, "*")
			if unreadable(err) && dir != root {
				continue
			}
			if err != nil {
				return false, err
			}
			for _, e := range entries {
				if !visit(e) {
					return true, nil
				}
				if e.Dir && !slices.Contains(e.Attributes, "REPARSE_POINT") {
					next = append(next, e.Path)
				}
			}
		}
		level = next
	}
	return false, nil
}

// unreadable reports whether err is the endpoint's refusal of one path, not a failure of
// the session.
func unreadable(err error) bool {
	var refused *edr.ResultError
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || errors.As(err, &refused)
}
