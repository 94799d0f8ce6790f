package lines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"edrpipe/pkg/events/inflight"
)

// follower is one Read of a File.
type follower struct {
	*File
	desk    *desk
	watcher *fsnotify.Watcher // nil: not following

	sequence uint64 // of lines handed over
	window   inflight.Window[place]
	memory   memory
}

// run reads what was missed, then the file itself.
func (f *follower) run() error {
	segments, err := f.segments()
	if err != nil {
		return err
	}
	missed, current := segments[:len(segments)-1], segments[len(segments)-1]
	for _, s := range missed {
		f.Log.Info().Str("file", s.path).Int64("offset", s.offset).Msg("reading what was missed")
		if err := f.once(s); err != nil {
			return err
		}
	}
	if !f.Follow {
		return f.once(current)
	}
	if f.watcher, err = fsnotify.NewWatcher(); err != nil {
		return err
	}
	defer func() { _ = f.watcher.Close() }() // nothing is written through it
	// The directory, not the file: a rotation puts another file in its place.
	if err := f.watcher.Add(filepath.Dir(f.Path)); err != nil {
		return err
	}
	for {
		if err := f.follow(current.offset); err != nil {
			return err
		}
		current.offset = 0
	}
}

// once reads a file, packed or not, from an offset to its end.
func (f *follower) once(s segment) error {
	file, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer file.Close()
	in, _, err := unpack(file)
	if err != nil {
		return err
	}
	p := newPassage(in, f.desk.Line)
	if err := p.skip(s.offset); err != nil {
		return err
	}
	if err := f.deliver(p); err != nil {
		return err
	}
	return f.hand(p.rest())
}

// errPacked: what is compressed while it is written cannot be read so far.
var errPacked = errors.New("a compressed file cannot be followed; read it without following")

// follow reads a file from an offset until another takes its place.
func (f *follower) follow(offset int64) error {
	file, err := f.open()
	if err != nil {
		return err
	}
	defer file.Close()
	if _, packed, err := unpack(io.NewSectionReader(file, 0, 1<<20)); err != nil || packed {
		return cmp.Or(err, errPacked)
	}
	p := newPassage(file, f.desk.Line)
	p.file = file
	if err := p.skip(offset); err != nil {
		return err
	}
	for {
		err := f.deliver(p)
		change := rewritten
		if err == nil {
			change, err = f.change(p)
		}
		switch {
		case errors.Is(err, errRewritten), err == nil && change == rewritten:
			f.Log.Warn().Str("file", f.Path).Msg("the file was cut and is read from its beginning")
			return nil
		case err != nil:
			return err
		case change == replaced:
			// What was written between our last look and the rotation, and a last line.
			if err := f.deliver(p); err != nil {
				return err
			}
			return f.hand(p.rest())
		}
		if err := f.wait(); err != nil {
			return err
		}
	}
}

// open waits until the file is there.
func (f *follower) open() (*os.File, error) {
	for {
		file, err := os.Open(f.Path)
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
		if err := f.wait(); err != nil {
			return nil, err
		}
	}
}

// wait returns when there may be something new.
func (f *follower) wait() error {
	if err := f.memory.saveSometimes(); err != nil {
		return err
	}
	poll := time.NewTimer(cmp.Or(f.Poll, time.Second))
	defer poll.Stop()
	select {
	case <-f.desk.ctx.Done():
		return context.Cause(f.desk.ctx)
	case err := <-f.watcher.Errors:
		f.Log.Debug().Err(err).Str("file", f.Path).Msg("file notices were lost")
	case <-f.watcher.Events:
	case <-poll.C:
	}
	return nil
}

// change is what happened to a file that is being followed.
type change int

const (
	grown     change = iota // or nothing
	replaced                // another file has its name
	rewritten               // it was cut off and begun again
)

func (f *follower) change(p *passage) (change, error) {
	ours, err := p.file.Stat()
	if err != nil {
		return grown, err
	}
	theirs, err := os.Stat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return grown, nil // between two steps of a rotation
	case err != nil:
		return grown, err
	case !os.SameFile(ours, theirs):
		return replaced, nil
	case ours.Size() < p.consumed():
		return rewritten, nil
	}
	same, err := p.sameBeginning()
	if err == nil && !same {
		return rewritten, nil
	}
	return grown, err
}

// deliver hands over the whole lines that there are.
func (f *follower) deliver(p *passage) error {
	for {
		text, at, err := p.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.hand(text, at); err != nil {
			return err
		}
	}
}

// hand hands over a line; once it and all before it are settled, the place after
// it is remembered.
func (f *follower) hand(text []byte, at place) error {
	if len(text) == 0 {
		return nil
	}
	if err := f.memory.saveSometimes(); err != nil {
		return err
	}
	f.sequence++
	key := f.sequence
	f.window.Add(key, at)
	err := f.desk.deliver(line{body: text, settled: func() {
		if floor, at, moved := f.window.Done(key); moved {
			f.memory.move(floor, at)
		}
	}})
	if err != nil {
		return fmt.Errorf("at byte %d: %w", at.offset, err)
	}
	return nil
}
