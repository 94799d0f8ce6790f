// Package pager sends people what needs them: grouped, once over all replicas, again
// after a while, and at night only what cannot wait.
package pager

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"edrpipe/internal/conflict"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"edrpipe/internal/web"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/seal"
)

// every is how often is looked at what needs people.
const every = 15 * time.Second

// urgent are the kinds of needs that quiet hours do not hold back.
var urgent = []string{"stop", "check"}

// A Sender carries a message to people.
type Sender interface {
	Name() string
	Send(ctx context.Context, m Message) error
}

// Message is what people get.
type Message struct {
	Service string     `json:"service"`
	Link    string     `json:"link,omitempty"` // address of the dashboard
	Needs   []web.Need `json:"needs"`
}

// Text is the message in lines.
func (m Message) Text() string {
	lines := []string{fmt.Sprintf("edrpipe %s needs you:", m.Service)}
	for _, n := range m.Needs {
		lines = append(lines, "- "+n.Text)
	}
	if m.Link != "" {
		lines = append(lines, m.Link)
	}
	return strings.Join(lines, "\n")
}

// Marks remembers over all replicas and restarts what people were told; a bucket of
// the bus is one.
type Marks interface {
	Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error)
	Create(ctx context.Context, key string, value []byte, opts ...jetstream.KVCreateOpt) (uint64, error)
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Delete(ctx context.Context, key string, opts ...jetstream.KVDeleteOpt) error
}

// Pager sends what needs people. All fields are needed but Every, Quiet and Link.
type Pager struct {
	Needs   func(context.Context) ([]web.Need, error)
	Senders []Sender
	Marks   Marks
	Every   time.Duration // how often is looked; 0: 15 s
	Repeat  time.Duration // after which what still needs people is sent again
	Quiet   Quiet
	Service string
	Link    string
	Now     func() time.Time
	Log     zerolog.Logger

	told map[string]bool // keys that this process has seen marked
}

// Run sends until ctx ends.
func (p *Pager) Run(ctx context.Context) error {
	tick := time.NewTicker(cmp.Or(p.Every, every))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := p.round(ctx); err != nil && ctx.Err() == nil {
			p.Log.Warn().Err(err).Msg("people were not notified; it is tried again")
		}
	}
}

// round sends what is new, or due again, in one message.
func (p *Pager) round(ctx context.Context) error {
	needs, err := p.Needs(ctx)
	if err != nil {
		return fmt.Errorf("what needs people: %w", err)
	}
	if p.told == nil {
		p.told = map[string]bool{}
	}
	var due []web.Need
	var errs []error // of needs; others are sent all the same
	still := map[string]bool{}
	for _, n := range needs {
		key := keyOf(n)
		still[key] = true
		if p.Quiet.Holds(p.Now()) && !slices.Contains(urgent, n.Kind) {
			continue
		}
		mine, err := p.claim(ctx, key)
		errs = append(errs, err)
		if mine {
			due = append(due, n)
		}
	}
	p.forget(ctx, still)
	if len(due) > 0 {
		errs = append(errs, p.send(ctx, due))
	}
	return errors.Join(errs...)
}

// keyOf names a need whatever its numbers: three approvals that wait are the same
// need as two.
func keyOf(n web.Need) string {
	switch n.Kind {
	case "approval", "unknown":
		return "notified." + n.Kind
	case "failed", "degraded":
		return "notified." + n.Kind + "." + bus.Key(n.Of)
	}
	return "notified." + n.Kind + "." + bus.Key(strings.ToLower(n.Text[:min(len(n.Text), 60)]))
}

// claim reports whether this replica is the one to tell of the need now.
func (p *Pager) claim(ctx context.Context, key string) (bool, error) {
	now, err := json.Marshal(p.Now())
	if err != nil {
		return false, err
	}
	p.told[key] = true
	entry, err := p.Marks.Get(ctx, key)
	if errors.Is(err, seal.ErrForeign) { // it may be there to keep people from hearing: they are told
		if err = p.Marks.Delete(ctx, key); err == nil {
			err = jetstream.ErrKeyNotFound
		}
	}
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		_, err = p.Marks.Create(ctx, key, now)
		return err == nil, lost(err)
	}
	if err != nil {
		return false, fmt.Errorf("mark of %s: %w", key, err)
	}
	if recent(entry.Value(), p.Now(), p.Repeat) {
		return false, nil
	}
	_, err = p.Marks.Update(ctx, key, now, entry.Revision())
	return err == nil, lost(err)
}

// recent reports whether a mark says that people were told less than repeat ago. A mark
// that cannot be read does not, and neither does one of the future, as a clock that was
// wrong leaves: it would keep people from hearing until then.
func recent(mark []byte, now time.Time, repeat time.Duration) bool {
	var at time.Time
	if json.Unmarshal(mark, &at) != nil {
		return false
	}
	age := now.Sub(at)
	return age < repeat && age > -repeat
}

// lost is nil where another replica was faster.
func lost(err error) error {
	if err == nil || conflict.Is(err) {
		return nil
	}
	return err
}

// forget removes the marks of what needs nobody any more, so that its next time is
// told at once.
func (p *Pager) forget(ctx context.Context, still map[string]bool) {
	for key := range p.told {
		if !still[key] && p.Marks.Delete(ctx, key) == nil {
			delete(p.told, key)
		}
	}
}

// send gives the message to every sender. When none took it the marks are removed,
// so that the next round tries again.
func (p *Pager) send(ctx context.Context, due []web.Need) error {
	m := Message{Service: p.Service, Link: p.Link, Needs: due}
	var errs []error
	for _, s := range p.Senders {
		if err := s.Send(ctx, m); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.Name(), err))
		}
	}
	if len(errs) < len(p.Senders) {
		for _, err := range errs {
			p.Log.Warn().Err(err).Msg("one way of notifying people does not work")
		}
		return nil
	}
	for _, n := range due {
		errs = append(errs, p.Marks.Delete(ctx, keyOf(n)))
	}
	return errors.Join(errs...)
}
