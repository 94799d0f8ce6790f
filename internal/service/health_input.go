package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/health"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/events/jetstream"
)

// deadRecent is how old the newest dead letter may be to count as trouble of now.
const deadRecent = time.Hour

// deadNewest is the newest dead letter that is kept.
type deadNewest struct {
	at     time.Time // zero: there is none
	reason string
	text   string
	kept   uint64
}

// readDead looks for the newest dead letter of the stream, whose state was just read.
func (s *Service) readDead(ctx context.Context, stream natsjs.Stream) error {
	last, err := stream.GetLastMsgForSubject(ctx, jetstream.DeadPrefix+".>")
	switch {
	case errors.Is(err, natsjs.ErrMsgNotFound):
		s.deadLetters.Store(&deadNewest{})
		return nil
	case err != nil:
		return fmt.Errorf("newest dead letter of stream %s: %w", bus.StreamDead, err)
	}
	s.deadLetters.Store(&deadNewest{
		at: last.Time, kept: stream.CachedInfo().State.Msgs,
		reason: last.Header.Get(jetstream.HeaderDeadReason), text: last.Header.Get(jetstream.HeaderDeadError),
	})
	return nil
}

// deadHealth names the newest input that could not be used.
func (s *Service) deadHealth() health.Check {
	const name = "dead_letters"
	newest := s.deadLetters.Load()
	switch {
	case newest == nil:
		return health.Bad(name, health.Unknown, "see what the check of the bus says", "the dead letters were not read yet")
	case newest.at.IsZero() || s.clock.Now().Sub(newest.at) > deadRecent:
		return health.Good(name, "")
	}
	check := health.Bad(name, health.Degraded, "look with pipeline events dead list; when the cause is mended, pipeline events dead replay, else pipeline events dead purge",
		"input could not be used and is kept: %d dead letters, the newest: %s: %s", newest.kept, newest.reason, newest.text)
	check.Since = newest.at
	return check
}

// usersHealth checks that the users in force are those of the file.
func (s *Service) usersHealth() []health.Check {
	if s.usersFile == nil {
		return nil
	}
	if err := s.usersFile.Problem(); err != nil {
		return []health.Check{health.Bad("users", health.Degraded, "mend the file: it is read again by itself", "the newest users file has mistakes and the users from before may come in: %v", err)}
	}
	return []health.Check{health.Good("users", "")}
}

// accessFiles are the changed files of EDR servers that cannot be used. The zero value has
// none.
type accessFiles struct {
	mu       sync.Mutex
	problems map[string]error // by server
}

func (c *accessFiles) note(server string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.problems, server)
		return
	}
	if c.problems == nil {
		c.problems = map[string]error{}
	}
	c.problems[server] = err
}

// check names the servers whose newest token or certificates are not in use.
func (c *accessFiles) check() health.Check {
	const name = "credentials"
	c.mu.Lock()
	defer c.mu.Unlock()
	var text []string
	for _, server := range slices.Sorted(maps.Keys(c.problems)) {
		text = append(text, fmt.Sprintf("server %s: %v", server, c.problems[server]))
	}
	if len(text) == 0 {
		return health.Good(name, "")
	}
	return health.Bad(name, health.Degraded, "mend the file: it is read again by itself", "a changed token or certificate cannot be used, the one from before is: %s", strings.Join(text, "; "))
}
