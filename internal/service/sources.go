package service

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"edrpipe/internal/buswatch"
	"edrpipe/internal/config"
	"edrpipe/internal/fleet"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/events"
	eventshttp "edrpipe/pkg/events/http"
	"edrpipe/pkg/events/jetstream"
)

// sources are the ways in which events arrive. The bus is what the rules read;
// what comes in by other ways is put on the bus first, so that it is safe, shared
// by all replicas, and there for `why` and backtests.
type sources struct {
	bus    *jetstream.Source // nil: this process matches nothing
	others []events.Source   // carried onto the bus
	http   *eventshttp.Source
	carry  *jetstream.Publisher
	dead   *jetstream.DeadLetters
	disk   *buswatch.Disk
	log    zerolog.Logger

	rabbits []rabbitSource // those of others whose health is shown
}

func openSources(c config.Config, b, ingest *bus.Bus, now func() time.Time, dead *jetstream.DeadLetters, watch *buswatch.Watch, members []*fleet.Member, log zerolog.Logger) (*sources, error) {
	s := &sources{disk: &watch.Disk, dead: dead, log: log}
	if c.Sources.NATS.Enabled {
		s.bus = jetstream.New(jetstream.Config{
			JetStream: b.JetStream(), Stream: bus.StreamEvents, Durable: c.Sources.NATS.Consumer, Server: c.BoundTo(""),
			Subjects: []string{c.Sources.NATS.Subject}, Alone: c.Bus.URL == "", Pull: c.Sources.NATS.Ahead, AckWait: c.Sources.NATS.AckWait, Repair: watch.Repair, Now: now, Log: log,
		})
	}
	if c.Sources.HTTP.Enabled && c.Sources.HTTP.Token != "" {
		token, err := secret(c.Sources.HTTP.Token)
		if err != nil {
			return nil, fmt.Errorf("sources.http.token_file: %w", err)
		}
		if s.http, err = eventshttp.New(eventshttp.Config{Tokens: []string{token}, Server: c.BoundTo(c.Sources.HTTP.Server), MaxBody: c.Sources.HTTP.Body, Log: log}); err != nil {
			return nil, err
		}
		s.others = append(s.others, s.http)
	}
	more, err := otherSources(c, log)
	if err != nil {
		return nil, err
	}
	s.others = append(s.others, more...)
	if err := s.serverSources(c, members, log); err != nil {
		return nil, err
	}
	if len(s.others) > 0 {
		s.carry = jetstream.NewPublisher(jetstream.PublisherConfig{
			JetStream: ingest.JetStream(), Dead: dead, Ended: func(err error) { ingest.Wrote(bus.StreamEvents, err) }, Log: log,
		})
	}
	return s, nil
}

// read delivers messages until ctx ends and every source has let go.
func (s *sources) read(ctx context.Context, handle func(context.Context, events.Message) error) error {
	g, ctx := errgroup.WithContext(ctx)
	read := func(source events.Source, handle func(context.Context, events.Message) error) {
		g.Go(func() error {
			if err := source.Read(ctx, handle); err != nil && ctx.Err() == nil {
				return fmt.Errorf("source %s: %w", source.Name(), err)
			}
			return nil
		})
	}
	if s.bus != nil {
		read(s.bus, handle)
	}
	for _, source := range s.others {
		read(source, s.carryTo(source))
	}
	err := g.Wait()
	for _, source := range s.others {
		if e := source.Close(); e != nil {
			s.log.Warn().Err(e).Str("source", source.Name()).Msg("closing a source")
		}
	}
	if s.carry != nil {
		if e := s.carry.Close(); e != nil {
			s.log.Warn().Err(e).Msg("some events could not be put on the bus")
		}
	}
	return err
}

// carryTo puts a source's messages on the bus. While the disk is full,
// a client that posts by HTTP gets that as its answer; other sources wait.
func (s *sources) carryTo(source events.Source) func(context.Context, events.Message) error {
	return func(ctx context.Context, m events.Message) error {
		if source == events.Source(s.http) {
			if err := s.disk.Err(); err != nil {
				m.Settle(err)
				return nil
			}
		} else if err := s.disk.Wait(ctx); err != nil {
			return err
		}
		return s.carry.Carry(ctx, m)
	}
}

// above is how many messages this process has read that the bus takes for unread,
// and how many of them are not settled.
func (s *sources) above() (read, unsettled int) {
	if s.bus == nil {
		return 0, 0
	}
	settled, unsettled := s.bus.Above()
	return settled + unsettled, unsettled
}

// secret reads a secret from its file.
func secret(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", fmt.Errorf("%s is empty", file)
	}
	return text, nil
}
