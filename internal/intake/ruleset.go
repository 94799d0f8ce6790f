package intake

import (
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/rules"
)

// Ruleset is the rules in force with the matcher made for them, and the time of each
// rule's last match.
type Ruleset struct {
	Live    *rules.Live
	roots   []string // of the rule files, to tell a rule's path from where it lies
	decoder *events.Decoder
	matcher atomic.Pointer[rules.Matcher]

	// Enrich gives events the facts of their endpoints before rules are asked; nil:
	// none. It is set before the first message.
	Enrich func(*events.Event)
	Images rules.Images // what is remembered of binaries; nil: nothing. Set with Enrich

	mu   sync.Mutex
	last map[string]time.Time
}

// NewRuleset makes a ruleset whose rule files lie below roots.
func NewRuleset(live *rules.Live, roots []string) *Ruleset {
	return &Ruleset{Live: live, roots: roots, decoder: &events.Decoder{LazyRaw: true}, last: map[string]time.Time{}}
}

// Roots are the directories and files from which the rules are read.
func (r *Ruleset) Roots() []string { return r.roots }

// current is the matcher of the set in force; a new set gets its matcher at the
// next message.
func (r *Ruleset) current() *rules.Matcher {
	set := r.Live.Set()
	m := r.matcher.Load()
	if m == nil || m.Set() != set {
		m = rules.NewMatcher(set, r.decoder, r.Images)
		m.Enrich = r.Enrich
		r.matcher.Store(m)
	}
	return m
}

// matched records the time of a match.
func (r *Ruleset) matched(id string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[id] = at
}

// LastMatch is the time of a rule's last match in this process; zero: none.
func (r *Ruleset) LastMatch(id string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[id]
}

// Path is the file of a rule as guards name it: relative to the rules' directory.
// A rule that is no longer loaded has none.
func (r *Ruleset) Path(id string) string {
	rule, ok := r.Live.Set().Rule(id)
	if !ok {
		return ""
	}
	for _, root := range r.roots {
		if rel, err := filepath.Rel(root, rule.File); err == nil && rel != "." && !strings.HasPrefix(rel, "..") {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.Base(rule.File)
}
