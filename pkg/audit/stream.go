package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"edrpipe/internal/conflict"
	"edrpipe/internal/ordered"

	"github.com/nats-io/nats.go/jetstream"
)

// Stream is a Store in a JetStream stream that holds one subject and nothing
// else. All replicas write to it.
type Stream struct {
	JetStream jetstream.JetStream
	Name      string // of the stream
	Subject   string

	mu     sync.Mutex
	opened jetstream.Stream // guarded by mu; to open it costs a question to the bus
}

func (s *Stream) open(ctx context.Context) (jetstream.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened == nil {
		stream, err := s.JetStream.Stream(ctx, s.Name)
		if err != nil {
			return nil, err
		}
		s.opened = stream
	}
	return s.opened, nil
}

// Last implements Store.
func (s *Stream) Last(ctx context.Context) ([]byte, uint64, error) {
	stream, err := s.open(ctx)
	if err != nil {
		return nil, 0, err
	}
	for ended := uint64(0); ; {
		m, err := stream.GetLastMsgForSubject(ctx, s.Subject)
		if err == nil {
			return m.Data, m.Sequence, nil
		}
		if !errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil, 0, err
		}
		if ended > 0 {
			return nil, 0, &Damage{Position: ended, Why: "every block is gone"}
		}
		info, err := stream.Info(ctx)
		if err != nil {
			return nil, 0, err
		}
		if ended = info.State.LastSeq; ended == 0 {
			return nil, 0, nil
		}
		// Gone, or written since we asked: ask again.
	}
}

// Append implements Store.
func (s *Stream) Append(ctx context.Context, block []byte, after uint64) error {
	_, err := s.JetStream.Publish(ctx, s.Subject, block, jetstream.WithExpectLastSequence(after))
	if conflict.Is(err) {
		return ErrConflict
	}
	return err
}

// Read implements Store. It reads up to what is last when it begins.
func (s *Stream) Read(ctx context.Context, visit func(uint64, []byte) error) error {
	stream, err := s.JetStream.Stream(ctx, s.Name)
	if err != nil {
		return fmt.Errorf("audit stream %s: %w", s.Name, err)
	}
	state := stream.CachedInfo().State
	seen := uint64(0)
	if state.Msgs > 0 {
		if seen, err = s.read(ctx, state.LastSeq, visit); err != nil {
			return err
		}
	}
	if seen < state.LastSeq {
		return &Damage{Position: seen + 1, Why: fmt.Sprintf("blocks %d to %d are gone", seen+1, state.LastSeq)}
	}
	return nil
}

// readBytes bounds the blocks under way to a reader.
const readBytes = 4 << 20

func (s *Stream) read(ctx context.Context, last uint64, visit func(uint64, []byte) error) (seen uint64, err error) {
	consumer, err := ordered.Consumer(ctx, s.JetStream, s.Name, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, InactiveThreshold: 10 * time.Second})
	if err != nil {
		return 0, fmt.Errorf("audit stream %s: %w", s.Name, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxBytes(readBytes))
	if err != nil {
		return 0, fmt.Errorf("audit stream %s: %w", s.Name, err)
	}
	defer messages.Stop()
	for seen < last {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return seen, fmt.Errorf("audit stream %s: %w", s.Name, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return seen, fmt.Errorf("audit stream %s: %w", s.Name, err)
		}
		if err := visit(meta.Sequence.Stream, m.Data()); err != nil {
			return seen, err
		}
		seen = meta.Sequence.Stream
		if meta.NumPending == 0 {
			break
		}
	}
	return seen, nil
}
