package service

import (
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/rules"
)

// ruleset is the rules in force with the matcher made for them, and when each
// matched last.
type ruleset struct {
	live    *rules.Live
	roots   []string // of the rule files, to tell a rule's path from where it lies
	decoder *events.Decoder
	matcher atomic.Pointer[rules.Matcher]

	mu   sync.Mutex
	last map[string]time.Time
}

func newRuleset(live *rules.Live, roots []string) *ruleset {
	return &ruleset{live: live, roots: roots, decoder: &events.Decoder{LazyRaw: true}, last: map[string]time.Time{}}
}

// current is the matcher of the set in force; a new set gets its matcher at the
// next message.
func (r *ruleset) current() *rules.Matcher {
	set := r.live.Set()
	m := r.matcher.Load()
	if m == nil || m.Set() != set {
		m = rules.NewMatcher(set, r.decoder)
		r.matcher.Store(m)
	}
	return m
}

// matched remembers that a rule matched.
func (r *ruleset) matched(id string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[id] = at
}

func (r *ruleset) lastMatch(id string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[id]
}

// path is the file of a rule as guards name it: relative to the rules' directory.
// A rule that is no longer loaded has none.
func (r *ruleset) path(id string) string {
	rule, ok := r.live.Set().Rule(id)
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
