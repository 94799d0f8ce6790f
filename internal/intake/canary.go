package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"edrpipe/internal/health"
	"edrpipe/internal/pace"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/rules"
)

// Times of the canary. A replica whose own intake passed none lately sends more: the
// replicas share one consumer, and each canary goes to one of them.
const (
	canaryEvery  = 30 * time.Second
	canarySooner = 5 * time.Second
	canaryLate   = 3 * canaryEvery
	canaryWithin = 5 * time.Second // for the bus to take it
)

// Canary sends synthetic messages through the whole intake, and records when one last
// passed this replica's. Run sends; the intake reports those that passed.
type Canary struct {
	Filter  string                                 // subjects that the intake reads
	Replica string                                 // name of this replica
	Publish func(context.Context, *nats.Msg) error // puts a message on the bus
	Trouble func() *jetstream.Trouble              // why the reader does not read; nil: it does
	Now     func() time.Time                       // monotonic

	mu      sync.Mutex
	began   time.Time // guarded by mu; when Run began
	passed  time.Time // guarded by mu; zero: none did
	worked  time.Time // guarded by mu; when any message was last done with
	sent    error     // guarded by mu; why the newest could not be sent
	problem error     // guarded by mu; why the newest did not pass as it should
}

// Run sends canaries until ctx ends.
func (c *Canary) Run(ctx context.Context) {
	c.mu.Lock()
	c.began = c.Now()
	c.mu.Unlock()
	for n := 0; ; n++ {
		err := c.send(ctx, n)
		if ctx.Err() != nil {
			return
		}
		c.mu.Lock()
		c.sent = err
		c.mu.Unlock()
		if pace.Sleep(ctx, c.wait()) != nil {
			return
		}
	}
}

// wait is the time until the next one is sent.
func (c *Canary) wait() time.Duration {
	if age, ok := c.Age(); !ok || age > canaryEvery {
		return canarySooner
	}
	return canaryEvery
}

func (c *Canary) send(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, canaryWithin)
	defer cancel()
	m, err := jetstream.EncodeCanary(c.Filter, fmt.Sprintf("%s-%d-%d", c.Replica, c.Now().UnixNano(), n))
	if err != nil {
		return err
	}
	return c.Publish(ctx, m)
}

// done notes that a message was settled, and a canary's outcome.
func (c *Canary) done(canary bool, err error) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.worked = c.Now()
	if !canary {
		return
	}
	if c.problem = err; err == nil {
		c.passed = c.worked
	}
}

// Age returns how long ago a canary passed this replica; ok is false when none has.
func (c *Canary) Age() (age time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Now().Sub(c.passed), !c.passed.IsZero()
}

// Check reports whether this replica reads events and takes them to their end.
func (c *Canary) Check() health.Check {
	if t := c.Trouble(); t != nil {
		check := health.Bad("intake", health.Failed, "see what the check of the bus says; the service tries again by itself", "no event is read: "+t.Err.Error())
		check.Since = t.Since
		return check.Need()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	late := now.Sub(c.passed) > canaryLate
	switch {
	case c.problem != nil:
		return health.Bad("intake", health.Failed, "see the log of this replica", "a canary event did not pass: "+c.problem.Error()).Need()
	case !late:
		return health.Good("intake", "").Need()
	case c.sent != nil:
		return health.Bad("intake", health.Failed, "see what the check of the bus says", "no canary event can be put on the bus: "+c.sent.Error()).Need()
	case now.Sub(c.worked) < canaryEvery:
		return health.Bad("intake", health.Degraded, "see edrpipe_events_waiting: with more replicas events are read faster",
			"events are read, and a canary event did not pass for %v: many wait before it", canaryLate).Need()
	case c.passed.IsZero() && now.Sub(c.began) < canaryLate:
		return health.Bad("intake", health.Unknown, "wait a moment", "no canary event has passed yet").Need()
	}
	return health.Bad("intake", health.Failed, "see the log of this replica; a restart loses nothing", "no canary event has passed for %v: events are not read", canaryLate).Need()
}

// canaryRule is the only rule that canaries meet.
const canaryRule = `
rules:
  - id: edrpipe-canary
    on: process_start
    when: process.name == "edrpipe-canary" and process.command_line == "pass"
    steps: [ { uses: list_processes } ]
`

// canaryMatcher matches canaries with their own rule.
func canaryMatcher() *rules.Matcher {
	set, err := rules.LoadText("canary.yaml", []byte(canaryRule))
	if err != nil {
		panic(err) // the text above
	}
	return rules.NewMatcher(set, &events.Decoder{LazyRaw: true}, nil)
}

// errCanary is a failure of decoding or matching.
var errCanary = errors.New("its rule did not match: decoding or matching is broken")

// canary matches the event that a canary stands for.
func (in *Intake) canary(m events.Message) finding {
	line, err := json.Marshal(map[string]any{
		"type": "ingress.event.procstart", "event_type": "proc", "sensor_id": 1, "timestamp": in.Now().Unix(), "pid": 1,
		"path": "/edrpipe-canary", "process_path": "/edrpipe-canary", "command_line": "pass", "cb_server": "edrpipe",
	})
	if err != nil {
		panic(err) // plain values
	}
	event := m
	event.Body, event.ContentType, event.RoutingKey, event.Exchange = line, "application/json", "", ""
	f := finding{msg: m, set: in.canaries.Set(), canary: true}
	if len(in.canaries.Message(&event).Matches) != 1 {
		f.broken = errCanary
	}
	return f
}
