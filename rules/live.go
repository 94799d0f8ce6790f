package rules

import (
	"errors"
	"fmt"
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
	Paths  []string      // as for Load
	Settle time.Duration // how long files must be quiet before they are read; 0: 200 ms
	Poll   time.Duration // how often to look without being told; 0: 10 s
	Shrink float64       // part of its entries that a list may lose at once; 0: half of them
	// Elsewhere returns values that lists have besides those of their files, by the names
	// of lists. It is called at each load; nil: there are none.
	Elsewhere func() map[string][]string

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
	At       time.Time           `json:"at"` // of the first load since the files have not been in force
	Problems strictyaml.Problems `json:"problems"`
}

// NewLive loads the rules. The error, if any, is of type strictyaml.Problems.
func NewLive(config LiveConfig) (*Live, error) {
	if config.Settle == 0 {
		config.Settle = defaultSettle
	}
	if config.Poll == 0 {
		config.Poll = defaultPoll
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Shrink == 0 {
		config.Shrink = defaultShrink
	}
	l := &Live{config: config}
	l.seen = (&fileWatch{paths: config.Paths}).fingerprint() // before reading: a change meanwhile is seen as one
	set, err := l.read()
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
	set, err := l.load()
	var problems strictyaml.Problems
	switch {
	case errors.As(err, &problems):
		l.state.Rejected = rejected(before.Rejected, problems, l.config.Now())
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

// rejected is what a load found. People ask since when the files are not in force: a
// reload that finds mistakes again, as each change of another list does, begins nothing anew.
func rejected(before *Rejected, problems strictyaml.Problems, now time.Time) *Rejected {
	if before != nil {
		now = before.At
	}
	return &Rejected{At: now, Problems: problems}
}

// defaultShrink is the part of its entries that a list may lose at once.
const defaultShrink = 0.5

// read reads the files, and takes what lists have from elsewhere.
func (l *Live) read() (*Set, error) {
	var more map[string][]string
	if l.config.Elsewhere != nil {
		more = l.config.Elsewhere()
	}
	return loadWith(l.config.Paths, more)
}

// load reads the files. Lists that lost most of their entries are problems.
func (l *Live) load() (*Set, error) {
	set, err := l.read()
	if err != nil {
		return nil, err
	}
	if err := set.Source().Lists.shrunk(l.Set().Source().Lists, l.config.Shrink).Err(); err != nil {
		return nil, err
	}
	return set, nil
}

func differ(a, b LiveState) bool {
	if a.Digest != b.Digest || (a.Rejected == nil) != (b.Rejected == nil) {
		return true
	}
	return a.Rejected != nil && a.Rejected.Problems.Error() != b.Rejected.Problems.Error()
}
