package lines

import (
	"context"
	"fmt"
	"time"

	"edrpipe/pkg/events"
)

// File reads the lines of a file.
type File struct {
	Limits
	Origin
	Path   string
	Follow bool          // wait for more, and go on with the new file when it is rotated
	Place  string        // file in which the place is remembered; empty: always begin at the beginning
	Poll   time.Duration // how often a followed file is looked at, should no notice come; 0: 1 s
}

// Name is file:<path>.
func (f *File) Name() string { return "file:" + f.Path }

// Close does nothing.
func (f *File) Close() error { return nil }

// Read delivers each line that is not empty. Without Follow it returns when the
// file has ended and all lines are settled. With a remembered place it goes on
// where everything before was settled, first in those rotated files that have not
// been read to their end.
func (f *File) Read(ctx context.Context, handle func(context.Context, events.Message) error) error {
	r := &follower{File: f, desk: newDesk(ctx, f.Limits.withDefaults(), f.Origin, "file", handle), memory: memory{file: f.Place, of: f.Path}}
	err := r.desk.close(ctx, r.run())
	if saved := r.memory.save(); err == nil {
		err = saved
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Path, err)
	}
	return nil
}
