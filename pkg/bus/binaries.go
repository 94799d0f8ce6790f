package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/ordered"
	"edrpipe/pkg/seal"
)

// binarySubject is the beginning of the subjects of StreamBinaries; the hash follows.
const binarySubject = "edr.binaries."

// Binaries is what all replicas have learned of binaries: the latest record of each
// hash, sealed, the oldest giving way to new ones.
type Binaries struct{ Bus *Bus }

// Write writes the record of a hash.
func (l Binaries) Write(ctx context.Context, hash string, record []byte) error {
	_, err := l.Bus.js.Publish(ctx, binarySubject+hash, l.Bus.seal.Seal(StreamBinaries, hash, record))
	if err != nil {
		return fmt.Errorf("write binary %s: %w", hash, err)
	}
	return nil
}

// Follow calls see with all records and then with new ones, until ctx ends or an error.
// A record that does not verify is left out.
func (l Binaries) Follow(ctx context.Context, see func(hash string, record []byte)) error {
	consumer, err := ordered.Consumer(ctx, l.Bus.js, StreamBinaries, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, MaxResetAttempts: resetAttempts})
	if err != nil {
		return fmt.Errorf("follow stream %s: %w", StreamBinaries, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxBytes(eachBytes))
	if err != nil {
		return fmt.Errorf("follow stream %s: %w", StreamBinaries, err)
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("follow stream %s: %w", StreamBinaries, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("follow stream %s: %w", StreamBinaries, err)
		}
		hash := strings.TrimPrefix(m.Subject(), binarySubject)
		record, err := l.Bus.seal.Open(StreamBinaries, hash, m.Data(), meta.Sequence.Stream)
		switch {
		case err == nil:
			see(hash, record)
		case !errors.Is(err, seal.ErrForeign):
			return err
		}
	}
}
