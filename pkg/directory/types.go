package directory

import (
	"strings"
	"sync"
)

// types caches the types of endpoints from events, by id, for later events without a
// type. It is bounded: when it is full no entry is added, and the type of a further
// endpoint is known for its own events only.
type types struct {
	mu   sync.RWMutex
	byID map[string]string
}

const maxHeard = 200_000

func (t *types) hear(id, typ string) {
	if id == "" || typ == "" || t.of(id) == typ {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID = map[string]string{}
	}
	if _, there := t.byID[id]; there || len(t.byID) < maxHeard {
		t.byID[strings.Clone(id)] = word(typ)
	}
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
