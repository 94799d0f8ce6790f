package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"edrpipe/pkg/strictyaml"
)

// Live holds the set in force. Reload replaces it whole, or leaves it as it is
// and keeps what was wrong in State. It is safe for concurrent use.
type Live struct {
	config LiveConfig
	seen   string // fingerprint of the files when they were first loaded
	set    atomic.Pointer[Set]

	mu    sync.Mutex // held while loading
	state LiveState
}

// LiveConfig says what to load.
type LiveConfig struct {
	Paths   []string         // as for Load
	Settle  time.Duration    // how long files must be quiet before they are read; 0: 200 ms
	Poll    time.Duration    // how often to look without being told; 0: 10 s
	Changed func(LiveState)  // called after each load that changed State; may be nil
	Now     func() time.Time // nil: time.Now
}

// LiveState is what is in force and whether the files say something else.
type LiveState struct {
	Digest   string    `json:"digest"` // of the set in force
	Rules    int       `json:"rules"`
	Loaded   time.Time `json:"loaded"`
	Rejected *Rejected `json:"rejected,omitempty"` // nil: the set in force is what the files say
}

// Rejected is a change of the files that could not be taken.
type Rejected struct {
	At       time.Time           `json:"at"`
	Problems strictyaml.Problems `json:"problems"`
}

// NewLive loads the rules. The error, if any, is of type strictyaml.Problems.
func NewLive(config LiveConfig) (*Live, error) {
	if config.Settle == 0 {
		config.Settle = 200 * time.Millisecond
	}
	if config.Poll == 0 {
		config.Poll = 10 * time.Second
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	l := &Live{config: config}
	l.seen = l.fingerprint() // before reading: a change meanwhile is seen as one
	set, err := Load(config.Paths...)
	if err != nil {
		return nil, err
	}
	l.set.Store(set)
	l.state = LiveState{Digest: set.Source().Digest, Rules: set.Len(), Loaded: config.Now()}
	return l, nil
}

// Set is the set in force. Take it once for each event.
func (l *Live) Set() *Set { return l.set.Load() }

// State tells what is in force.
func (l *Live) State() LiveState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Reload reads the files again and puts them in force, all or nothing. The
// error says why the set stays what it was.
func (l *Live) Reload() error {
	l.mu.Lock()
	before := l.state
	set, err := Load(l.config.Paths...)
	var problems strictyaml.Problems
	switch {
	case errors.As(err, &problems):
		l.state.Rejected = &Rejected{At: l.config.Now(), Problems: problems}
		err = fmt.Errorf("the rules stay as they were: %w", err)
	case set.Source().Digest == l.state.Digest:
		l.state.Rejected = nil
	default:
		l.set.Store(set)
		l.state = LiveState{Digest: set.Source().Digest, Rules: set.Len(), Loaded: l.config.Now()}
	}
	after := l.state
	l.mu.Unlock()
	if l.config.Changed != nil && differ(before, after) {
		l.config.Changed(after)
	}
	return err
}

func differ(a, b LiveState) bool {
	if a.Digest != b.Digest || (a.Rejected == nil) != (b.Rejected == nil) {
		return true
	}
	return a.Rejected != nil && a.Rejected.Problems.Error() != b.Rejected.Problems.Error()
}

// watched lists the directories in which a change may change the rules.
func (l *Live) watched() []string {
	var dirs []string
	for _, path := range l.config.Paths {
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
func (l *Live) fingerprint() string {
	var b strings.Builder
	for _, dir := range l.watched() {
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
