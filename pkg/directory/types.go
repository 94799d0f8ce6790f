package directory

import (
	"strings"
	"sync"
)

// types are the types of endpoints that events said, by id: the events that do not say
// it are as much about the endpoint. They are bounded; when they are full none is
// added, and the type of a further endpoint is known of its own events only.
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
