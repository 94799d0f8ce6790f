package rules

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch reloads the rules whenever their files change. It returns when ctx ends,
// or an error when nothing can be watched. What a reload rejected is in State.
func (l *Live) Watch(ctx context.Context) error {
	w := fileWatch{paths: l.config.Paths, settle: l.config.Settle, poll: l.config.Poll}
	return w.run(ctx, l.seen, func() { _ = l.Reload() })
}

// WatchFiles calls changed once at the beginning and then whenever a file that
// the paths name has changed, until ctx ends.
func WatchFiles(ctx context.Context, paths []string, changed func()) error {
	w := fileWatch{paths: paths, settle: defaultSettle, poll: defaultPoll}
	seen := w.fingerprint()
	changed()
	return w.run(ctx, seen, changed)
}

const (
	defaultSettle = 200 * time.Millisecond
	defaultPoll   = 10 * time.Second
)

// fileWatch sees files change, however that is done: in place, by renaming a new
// file over the old one as editors do, or by swapping a symbolic link as
// ConfigMaps do. It watches directories, not files, waits until they are quiet,
// and also looks by itself for what no notification told of.
type fileWatch struct {
	paths        []string
	settle, poll time.Duration
}

// run calls changed for each change since the files looked as in seen.
func (f *fileWatch) run(ctx context.Context, seen string, changed func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching the rules: %w", err)
	}
	defer func() { _ = w.Close() }()
	f.add(w)
	told := false // what is the same by size and time may differ all the same
	poll := time.NewTicker(f.poll)
	defer poll.Stop()
	settle := time.NewTimer(f.settle) // for what changed before the watch began
	defer settle.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, open := <-w.Events:
			if !open {
				return fmt.Errorf("watching the rules: the watcher has ended")
			}
			told = true
			settle.Reset(f.settle)
		case <-w.Errors: // lost notifications: look
			told = true
			settle.Reset(f.settle)
		case <-settle.C:
			f.add(w) // directories may be new
			if now := f.fingerprint(); told || now != seen {
				seen, told = now, false
				changed()
			}
		case <-poll.C:
			f.add(w)
			if now := f.fingerprint(); now != seen {
				settle.Reset(f.settle)
			}
		}
	}
}

// add watches the directories that are not watched yet. Those that are gone have
// been dropped by the watcher itself.
func (f *fileWatch) add(w *fsnotify.Watcher) {
	for _, dir := range f.directories() {
		if _, err := os.Stat(dir); err == nil {
			_ = w.Add(dir) // when it cannot be watched, polling sees it
		}
	}
}

// directories lists the directories in which a change may change the rules.
func (f *fileWatch) directories() []string {
	var dirs []string
	for _, path := range f.paths {
		root := path
		if i := strings.IndexAny(path, "*?[{"); i >= 0 {
			root = filepath.Dir(path[:i] + "x")
		}
		info, err := os.Stat(root)
		switch {
		case err != nil:
			dirs = append(dirs, filepath.Dir(filepath.Clean(root))) // it may come back
		case !info.IsDir():
			dirs = append(dirs, filepath.Dir(root), filepath.Join(filepath.Dir(root), "lists"))
		default:
			dirs = append(dirs, below(root)...)
		}
	}
	return dirs
}

// below lists a directory and those in it that are not hidden.
func below(root string) []string {
	var dirs []string
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // gone again: the next look will tell
		case !entry.IsDir():
		case path != root && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		default:
			dirs = append(dirs, path)
		}
		return nil
	})
	return dirs
}

// fingerprint changes when a file that the rules are read from does.
func (f *fileWatch) fingerprint() string {
	var b strings.Builder
	for _, dir := range f.directories() {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, entry := range entries {
			file := filepath.Join(dir, entry.Name())
			if info, err := os.Stat(file); err == nil && !info.IsDir() {
				fmt.Fprintf(&b, "%s %d %d\n", file, info.Size(), info.ModTime().UnixNano())
			}
		}
	}
	return b.String()
}
