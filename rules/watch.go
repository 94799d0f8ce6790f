package rules

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch reloads the rules whenever their files change, however that is done: in
// place, by renaming a new file over the old one as editors do, or by swapping
// a symbolic link as ConfigMaps do. It watches directories, not files, waits
// until they are quiet, and also looks by itself every LiveConfig.Poll for what
// no notification told of. It returns when ctx ends, or an error when nothing
// can be watched. What a reload rejected is in State.
func (l *Live) Watch(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching the rules: %w", err)
	}
	defer func() { _ = w.Close() }()
	l.watch(w)
	seen, told := l.seen, false // told: what is the same by size and time may differ all the same
	poll := time.NewTicker(l.config.Poll)
	defer poll.Stop()
	settle := time.NewTimer(l.config.Settle) // for what changed before the watch began
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
			settle.Reset(l.config.Settle)
		case <-w.Errors: // lost notifications: look
			told = true
			settle.Reset(l.config.Settle)
		case <-settle.C:
			l.watch(w) // directories may be new
			if now := l.fingerprint(); told || now != seen {
				seen, told = now, false
				_ = l.Reload() // State has the outcome
			}
		case <-poll.C:
			l.watch(w)
			if now := l.fingerprint(); now != seen {
				settle.Reset(l.config.Settle)
			}
		}
	}
}

// watch adds the directories that are not watched yet. Those that are gone have
// been dropped by the watcher itself.
func (l *Live) watch(w *fsnotify.Watcher) {
	for _, dir := range l.watched() {
		if _, err := os.Stat(dir); err == nil {
			_ = w.Add(dir) // when it cannot be watched, polling sees it
		}
	}
}
