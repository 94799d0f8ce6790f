package directory

import (
	"strings"
	"sync"
)

// types remembers the types of endpoints from events, by id, for later events without a
// type. It is bounded: when it is full no entry is added, and the type of a further
// endpoint is known for its own events only.
type types struct {
	mu      sync.RWMutex
	byID    map[string]string
	unkept  map[string]string // entries that are not in the store yet
	changed chan struct{}     // has one element while there are such entries; nil: nothing is stored
}

const maxHeard = 200_000

func (t *types) hear(id, typ string) {
	if id == "" || typ == "" || t.of(id) == typ {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.put(id, typ) || t.changed == nil {
		return
	}
	if t.unkept == nil {
		t.unkept = map[string]string{}
	}
	t.unkept[strings.Clone(id)] = t.byID[id]
	select {
	case t.changed <- struct{}{}:
	default: // it is noted already
	}
}

// put adds an entry, unless there is no room. t.mu is held.
func (t *types) put(id, typ string) bool {
	if t.byID == nil {
		t.byID = map[string]string{}
	}
	if _, there := t.byID[id]; !there && len(t.byID) >= maxHeard {
		return false
	}
	t.byID[strings.Clone(id)] = word(typ)
	return true
}

func (t *types) of(id string) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byID[id]
}

// word is the text, which does not keep an event's memory alive.
func word(typ string) string {
	switch typ {
	case typeServer:
		return typeServer
	case typeDomainController:
		return typeDomainController
	}
	return strings.Clone(typ)
}
