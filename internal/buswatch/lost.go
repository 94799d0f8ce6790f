package buswatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/jobs"
)

// A Finder ends the jobs whose records are lost: see jobs.Scheduler.Lost.
type Finder interface {
	Lost(ctx context.Context, told []jobs.TransitionNotice) ([]string, error)
}

// FindLost compares, once after a start, the job records with the transitions on the
// bus: a job that has transitions and no record is ended as unknown.
func FindLost(ctx context.Context, b *bus.Bus, finder Finder, log zerolog.Logger) {
	told, err := openJobs(ctx, b, log)
	if err == nil {
		var lost []string
		lost, err = finder.Lost(ctx, told)
		for _, id := range lost {
			log.Error().Str("job", id).Msg("the job's record is gone from the bus: it is ended as unknown; check its endpoint")
		}
	}
	if err != nil && ctx.Err() == nil {
		log.Warn().Err(err).Msg("comparing the job records with the transitions on the bus")
	}
}

// openJobs lists the jobs whose beginning is on the bus and whose end is not.
// It reads no bodies but theirs, and holds no more than there are of them. A transition
// that cannot be read hides no other.
func openJobs(ctx context.Context, b *bus.Bus, log zerolog.Logger) ([]jobs.TransitionNotice, error) {
	stream, err := b.JetStream().Stream(ctx, bus.StreamJobs)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", bus.StreamJobs, err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", bus.StreamJobs, err)
	}
	began := map[string]uint64{} // sequence of the first notice, by job
	if info.State.Msgs > 0 {
		err = eachTransition(ctx, stream, info.State.LastSeq, func(job string, state jobs.State, seq uint64) {
			if state.Terminal() {
				delete(began, job)
			} else if _, known := began[job]; !known {
				began[job] = seq
			}
		})
		if err != nil {
			return nil, fmt.Errorf("read stream %s: %w", bus.StreamJobs, err)
		}
	}
	var told []jobs.TransitionNotice
	for _, seq := range slices.Sorted(maps.Values(began)) {
		m, err := stream.GetMsg(ctx, seq)
		if err != nil {
			continue // it is too old by now
		}
		n, err := transition(m.Data)
		if err != nil {
			log.Error().Err(err).Uint64("message", seq).Str("stream", bus.StreamJobs).Str("subject", m.Subject).
				Msg("a transition cannot be read: if its job's record is lost, too, the job is not known any more")
			continue
		}
		told = append(told, n)
	}
	return told, nil
}

// transition decodes the notice of a transition. One without a job or with a state that
// does not exist is an error.
func transition(data []byte) (jobs.TransitionNotice, error) {
	var n struct{ Data jobs.TransitionNotice }
	if err := json.Unmarshal(data, &n); err != nil {
		return n.Data, fmt.Errorf("decode a transition: %w", err)
	}
	if n.Data.Job == "" || !slices.Contains(append(jobs.LiveStates(), jobs.EndedStates()...), n.Data.State) {
		return n.Data, fmt.Errorf("decode a transition: job %q, state %q", n.Data.Job, n.Data.State)
	}
	return n.Data, nil
}

// eachTransition reads what the stream's subjects tell, up to a sequence.
func eachTransition(ctx context.Context, stream natsjs.Stream, last uint64, see func(job string, state jobs.State, seq uint64)) error {
	c, err := stream.OrderedConsumer(ctx, natsjs.OrderedConsumerConfig{FilterSubjects: []string{"edr.jobs.>"}, HeadersOnly: true})
	if err != nil {
		return err
	}
	for over := false; !over; {
		if over, err = someTransitions(ctx, c, last, see); err != nil {
			return err
		}
	}
	return nil
}

// someTransitions reads what is at hand; over: there is no more.
func someTransitions(ctx context.Context, c natsjs.Consumer, last uint64, see func(job string, state jobs.State, seq uint64)) (over bool, err error) {
	reading, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel() // ends a fetch that is not read to its end
	batch, err := c.Fetch(500, natsjs.FetchContext(reading))
	if err != nil {
		return false, err
	}
	over = true
	for m := range batch.Messages() {
		over = false
		meta, err := m.Metadata()
		if err != nil {
			return false, err
		}
		if job, state, ok := transitionOf(m.Subject()); ok {
			see(job, state, meta.Sequence.Stream)
		}
		if meta.Sequence.Stream >= last || meta.NumPending == 0 {
			return true, nil
		}
	}
	if err := batch.Error(); err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
		return false, err
	}
	return over, ctx.Err()
}

// transitionOf reads edr.jobs.<job>.<state>; ok is false of other notices.
func transitionOf(subject string) (job string, state jobs.State, ok bool) {
	words := strings.Split(subject, ".")
	if len(words) != 4 {
		return "", "", false
	}
	state = jobs.State(words[3])
	return words[2], state, state.Waiting() || state == jobs.Running || state.Terminal()
}
