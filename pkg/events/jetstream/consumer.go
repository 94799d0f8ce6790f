package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// settledTo is up to where everything was settled in a stream, as this process saw it last.
// It is of use only for the same stream: one that was made again counts from 1.
type settledTo struct {
	made  time.Time // the stream
	floor uint64
}

// errDiffers: the durable consumer is not as this source makes it.
var errDiffers = errors.New("the consumer's configuration was changed")

// consumer returns the durable consumer. One that is missing, or whose settings cannot
// be changed back, is made to begin after what is known to be settled; a stream that
// is missing is made by Repair.
func (s *Source) consumer(ctx context.Context) (natsjs.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	stream, err := s.c.JetStream.Stream(ctx, s.c.Stream)
	if errors.Is(err, natsjs.ErrStreamNotFound) && s.c.Repair != nil {
		if err = s.c.Repair(ctx); err == nil {
			stream, err = s.c.JetStream.Stream(ctx, s.c.Stream)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", s.c.Stream, err)
	}
	s.made = stream.CachedInfo().Created
	c, err := s.c.JetStream.Consumer(ctx, s.c.Stream, s.c.Durable)
	switch {
	case errors.Is(err, natsjs.ErrConsumerNotFound):
		c, err = s.create(ctx, stream.CachedInfo().State.LastSeq)
	case errors.Is(err, natsjs.ErrNotPullConsumer):
		c, err = s.replace(ctx, stream.CachedInfo().State.LastSeq)
	case err == nil:
		c, err = s.setBack(ctx, c, stream.CachedInfo().State.LastSeq)
	}
	if err != nil {
		return nil, fmt.Errorf("consumer %s of stream %s: %w", s.c.Durable, s.c.Stream, err)
	}
	return c, nil
}

// create makes the durable consumer. What this process saw as settled is not read
// again: that is everything up to the floor, in a stream that is still the same.
func (s *Source) create(ctx context.Context, last uint64) (natsjs.Consumer, error) {
	want := s.settings(natsjs.ConsumerConfig{Durable: s.c.Durable})
	if known := s.known.Load(); known != nil {
		if known.made.Equal(s.made) && known.floor > 0 && known.floor <= last {
			want.DeliverPolicy, want.OptStartSeq = natsjs.DeliverByStartSequencePolicy, known.floor+1
		}
		s.c.Log.Error().Str("source", s.Name()).Uint64("after", max(want.OptStartSeq, 1)-1).Msg("the consumer was missing: it is made again, and everything after that is read again")
	}
	return s.c.JetStream.CreateConsumer(ctx, s.c.Stream, want)
}

// setBack brings the settings of the durable consumer up to date. A pause by people
// stays.
func (s *Source) setBack(ctx context.Context, c natsjs.Consumer, last uint64) (natsjs.Consumer, error) {
	info := c.CachedInfo()
	s.note(info)
	what := s.differences(info.Config)
	if what == "" {
		return c, nil
	}
	s.c.Log.Warn().Str("source", s.Name()).Str("what", what).Msg("the consumer's settings are set back")
	set, err := s.c.JetStream.UpdateConsumer(ctx, s.c.Stream, s.settings(info.Config))
	var api *natsjs.APIError
	if errors.As(err, &api) && ctx.Err() == nil {
		s.c.Log.Error().Err(err).Str("source", s.Name()).Str("what", what).Msg("the consumer's settings cannot be set back: it is made again")
		return s.replace(ctx, last)
	}
	return set, err
}

// replace makes the durable consumer anew in the place of another.
func (s *Source) replace(ctx context.Context, last uint64) (natsjs.Consumer, error) {
	if err := s.c.JetStream.DeleteConsumer(ctx, s.c.Stream, s.c.Durable); err != nil && !errors.Is(err, natsjs.ErrConsumerNotFound) {
		return nil, err
	}
	return s.create(ctx, last)
}

// settings returns a consumer's configuration with what this source needs. Where
// it begins, its pause and its names stay.
func (s *Source) settings(is natsjs.ConsumerConfig) natsjs.ConsumerConfig {
	return natsjs.ConsumerConfig{
		Name: is.Name, Durable: s.c.Durable, Metadata: is.Metadata,
		Description:   "edrpipe: events on their way to jobs",
		DeliverPolicy: is.DeliverPolicy, OptStartSeq: is.OptStartSeq, OptStartTime: is.OptStartTime, PauseUntil: is.PauseUntil,
		AckPolicy:      natsjs.AckExplicitPolicy, // acknowledging many at once would include those that a killed reader held
		AckWait:        s.c.AckWait,
		MaxAckPending:  s.c.MaxPending,
		MaxDeliver:     -1, // a message leaves when it is settled, never by count
		MaxWaiting:     is.MaxWaiting,
		FilterSubjects: s.c.Subjects,
		Replicas:       is.Replicas, MemoryStorage: is.MemoryStorage,
	}
}

// differences names the settings that are not as this source makes them; empty: none.
func (s *Source) differences(is natsjs.ConsumerConfig) string {
	want := s.settings(is)
	filter := is.FilterSubjects
	if is.FilterSubject != "" {
		filter = append([]string{is.FilterSubject}, filter...)
	}
	var all []string
	add := func(name string, is, want any) {
		if fmt.Sprint(is) != fmt.Sprint(want) {
			all = append(all, fmt.Sprintf("%s is %v and has to be %v", name, is, want))
		}
	}
	add("ack_policy", is.AckPolicy, want.AckPolicy)
	add("ack_wait", is.AckWait, want.AckWait)
	add("max_ack_pending", is.MaxAckPending, want.MaxAckPending)
	add("max_deliver", is.MaxDeliver, want.MaxDeliver)
	add("filter_subjects", slices.Sorted(slices.Values(filter)), slices.Sorted(slices.Values(want.FilterSubjects)))
	add("backoff", len(is.BackOff), 0)
	add("headers_only", is.HeadersOnly, false)
	add("rate_limit", is.RateLimit, want.RateLimit)
	add("replay_policy", is.ReplayPolicy, want.ReplayPolicy)
	add("max_batch", is.MaxRequestBatch, 0)
	add("max_expires", is.MaxRequestExpires, time.Duration(0))
	add("max_bytes", is.MaxRequestMaxBytes, 0)
	add("inactive_threshold", is.InactiveThreshold, time.Duration(0))
	add("priority_groups", is.PriorityGroups, want.PriorityGroups)
	return strings.Join(all, ", ")
}

// note remembers up to where everything is settled.
func (s *Source) note(info *natsjs.ConsumerInfo) {
	s.known.Store(&settledTo{s.made, info.AckFloor.Stream})
}

// setBackAtMost bounds how often settings are set back within setBackWithin: replicas
// that are configured differently would do so for ever.
const (
	setBackAtMost = 3
	setBackWithin = 10 * time.Minute
)

// inspect looks at the durable consumer: it has to exist, as this source makes it,
// and not be paused. An error of type errDiffers is one that a new run mends.
func (s *Source) inspect(ctx context.Context) (*natsjs.ConsumerInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := s.c.JetStream.Consumer(ctx, s.c.Stream, s.c.Durable)
	if err != nil {
		return nil, fmt.Errorf("consumer %s of stream %s: %w", s.c.Durable, s.c.Stream, err)
	}
	info := c.CachedInfo()
	s.note(info)
	if what := s.differences(info.Config); what != "" {
		now := time.Now()
		s.backs = slices.DeleteFunc(s.backs, func(at time.Time) bool { return now.Sub(at) > setBackWithin })
		if len(s.backs) < setBackAtMost {
			s.backs = append(s.backs, now)
			return info, fmt.Errorf("%w: %s", errDiffers, what)
		}
		return info, fmt.Errorf("consumer %s of stream %s is changed again and again, by another client or a replica with another configuration: %s", s.c.Durable, s.c.Stream, what)
	}
	return info, nil
}

// gone reports whether an error says that the consumer or its stream is missing, or
// another one.
func gone(err error) bool {
	for _, e := range []error{natsjs.ErrConsumerNotFound, natsjs.ErrStreamNotFound, natsjs.ErrNotPullConsumer, errDiffers} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// pausedError says that people paused the consumer.
func (s *Source) pausedError(info *natsjs.ConsumerInfo) error {
	return fmt.Errorf("consumer %s of stream %s is paused for another %v: nats consumer resume %s %s", s.c.Durable, s.c.Stream, info.PauseRemaining.Round(time.Second), s.c.Stream, s.c.Durable)
}
