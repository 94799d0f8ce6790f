package http

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// postID identifies a post: spool file and body.
type postID [sha256.Size]byte

func (id postID) String() string { return hex.EncodeToString(id[:12]) }

// posts recognises posts that come again, because an answer was lost or took too
// long: one that was answered is answered alike, one that is on its way is waited
// for together.
type posts struct {
	mu     sync.Mutex
	live   map[postID]*post
	stored map[postID]struct{}
	ring   []postID // of stored, the oldest is overwritten
	next   int
}

type post struct {
	settled chan struct{}
	err     error // may be read once settled is closed
}

func newPosts(remember int) posts {
	return posts{live: map[postID]*post{}, stored: map[postID]struct{}{}, ring: make([]postID, 0, remember)}
}

// once runs deliver unless this post is on its way or stored, and returns when it
// is settled or ctx ends. Deliver calls done exactly once, at any time.
func (p *posts) once(ctx context.Context, id postID, deliver func(done func(error))) error {
	p.mu.Lock()
	if _, ok := p.stored[id]; ok {
		p.mu.Unlock()
		return nil
	}
	it, again := p.live[id]
	if !again {
		it = &post{settled: make(chan struct{})}
		p.live[id] = it
	}
	p.mu.Unlock()
	if !again {
		deliver(func(err error) { p.settle(id, it, err) })
	}
	select {
	case <-it.settled:
		return it.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *posts) settle(id postID, it *post, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.live, id)
	if err == nil {
		p.remember(id)
	}
	it.err = err
	close(it.settled)
}

func (p *posts) remember(id postID) {
	p.stored[id] = struct{}{}
	if len(p.ring) < cap(p.ring) {
		p.ring = append(p.ring, id)
		return
	}
	delete(p.stored, p.ring[p.next])
	p.ring[p.next] = id
	p.next = (p.next + 1) % len(p.ring)
}
