package http

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/inflight"
)

// Config of a Source. Tokens or Open is required.
type Config struct {
	Tokens []string // one of which a client must show, as "Bearer" or "Splunk"; several for rotation
	Open   bool     // no token is asked for; only where the network lets nobody else in
	Server string   // name of the EDR server that posts here

	MaxBody   int64         // bytes of one post, unpacked; 0: 32 MiB
	MaxMemory int64         // bytes of all posts that are not answered yet; 0: 128 MiB
	Patience  time.Duration // how long a post waits for its events to be safe; 0: 60 s (the forwarder waits 120 s)
	RetryIn   time.Duration // what a refused client is told to wait; 0: 2 s
	Remember  int           // answered posts that are recognised when they come again; 0: 4096

	Log zerolog.Logger
}

// Source is an events.Source and the http.Handler that feeds it. Mount it with
// and without a path: it looks only for /services/collector at the end, where it
// answers like a Splunk collector. It serves 503 while nobody reads.
type Source struct {
	c      Config
	tokens [][sha256.Size]byte
	memory *semaphore.Weighted
	posts  posts

	mu     sync.Mutex // guards reader
	reader *reader    // nil: nobody reads
}

// New returns a source.
func New(c Config) (*Source, error) {
	if len(c.Tokens) == 0 && !c.Open {
		return nil, errors.New("http events: a token is needed, or the decision to take events from anybody")
	}
	c.MaxBody = cmp.Or(c.MaxBody, 32<<20)
	c.MaxMemory = max(cmp.Or(c.MaxMemory, 128<<20), c.MaxBody)
	c.Patience = cmp.Or(c.Patience, time.Minute)
	c.RetryIn = cmp.Or(c.RetryIn, 2*time.Second)
	s := &Source{c: c, memory: semaphore.NewWeighted(c.MaxMemory), posts: newPosts(cmp.Or(c.Remember, 4096))}
	for _, t := range c.Tokens {
		if t == "" {
			return nil, errors.New("http events: an empty token lets everybody in")
		}
		s.tokens = append(s.tokens, sha256.Sum256([]byte(t)))
	}
	return s, nil
}

// Name is http.
func (s *Source) Name() string { return "http" }

// Close does nothing: the listener belongs to whoever mounted the source.
func (s *Source) Close() error { return nil }

// reader is one call of Read.
type reader struct {
	ctx    context.Context
	handle func(context.Context, events.Message) error
	turn   sync.Mutex     // handle is called for one message at a time
	posts  sync.WaitGroup // that are being delivered
	failed chan error     // what handle returned
}

// Read delivers what is posted from now on, until ctx ends. Only one Read at a
// time makes sense; a second one is an error.
func (s *Source) Read(ctx context.Context, handle func(context.Context, events.Message) error) error {
	r := &reader{ctx: ctx, handle: handle, failed: make(chan error, 1)}
	s.mu.Lock()
	if s.reader != nil {
		s.mu.Unlock()
		return errors.New("http events: they are being read already")
	}
	s.reader = r
	s.mu.Unlock()

	var err error
	select {
	case <-ctx.Done():
	case err = <-r.failed:
	}
	s.mu.Lock()
	s.reader = nil
	s.mu.Unlock()
	r.posts.Wait()
	if ctx.Err() != nil {
		return nil // what handle says of it included
	}
	return err
}

// enter takes part in the current Read, or reports that there is none.
func (s *Source) enter() *reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader != nil {
		s.reader.posts.Add(1)
	}
	return s.reader
}

// deliver hands the messages over in their order and calls done when all are
// settled. After an error of the handler the rest is not handed over.
func (r *reader) deliver(messages []events.Message, done func(error)) {
	part := inflight.All(len(messages), done)
	var failed error
	for _, m := range messages {
		var settled sync.Once // a handler that fails may have settled the message or not
		m.Settle = func(err error) { settled.Do(func() { part(err) }) }
		if failed == nil {
			failed = context.Cause(r.ctx) // a post may have more messages than a shutdown has time
		}
		if failed == nil {
			r.turn.Lock()
			failed = r.handle(r.ctx, m)
			r.turn.Unlock()
		}
		if failed != nil {
			m.Settle(failed)
		}
	}
	if failed != nil {
		select {
		case r.failed <- failed:
		default:
		}
	}
}

// allowed compares the token that came with each that is valid, in a time that
// tells nothing of them.
func (s *Source) allowed(r *http.Request) bool {
	if s.c.Open {
		return true
	}
	sum := sha256.Sum256([]byte(credential(r)))
	ok := 0
	for _, t := range s.tokens {
		ok |= subtle.ConstantTimeCompare(sum[:], t[:])
	}
	return ok == 1
}

// credential is the token in the Authorization header. Splunk's clients may send
// it as the password of basic authentication.
func credential(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "Splunk") {
		return ""
	}
	return strings.TrimSpace(token)
}
