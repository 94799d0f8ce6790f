package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/ordered"
	"edrpipe/pkg/events"
)

// DeadPrefix is where dead letters are on the bus: edr.dead.<reason>.
const DeadPrefix = "edr.dead"

// Headers that a dead letter has besides those of the message.
const (
	HeaderDeadReason  = "Dead-Reason"
	HeaderDeadError   = "Dead-Error"
	HeaderDeadOrigin  = "Dead-Origin" // transport by which it came, and its server
	HeaderDeadTime    = "Dead-Time"
	HeaderDeadSubject = "Dead-Subject" // where a replay puts it
	HeaderDeadSize    = "Dead-Size"    // set when the body was cut: bytes it had
)

// maxDeadError bounds the error text that a dead letter carries: it may quote
// hostile input.
const maxDeadError = 500

// endWithin bounds the removal of a consumer.
const endWithin = 2 * time.Second

// DeadLetters is the bounded stream of input that could not be used. The oldest
// give way to new ones.
type DeadLetters struct {
	JetStream natsjs.JetStream
	Ingest    natsjs.JetStream // by which replayed ones are published; nil: JetStream
	Stream    string           // empty: DEAD
	Prefix    string           // of the subjects on which events arrive; empty: edr.events
}

// Dead is one dead letter.
type Dead struct {
	Sequence uint64 // its place in the stream
	Reason   string // bad_json, truncated_bundle, too_large, …: one word, a metric's label
	Error    string
	Origin   string
	Time     time.Time
	Size     int // bytes the body had, more than len(Message.Body) if it was cut
	Message  events.Message

	subject string
}

func (d *DeadLetters) stream() string {
	if d.Stream == "" {
		return "DEAD"
	}
	return d.Stream
}

func (d *DeadLetters) prefix() string {
	if d.Prefix == "" {
		return Prefix
	}
	return d.Prefix
}

// Write keeps m with the reason why it could not be used, and returns when the
// stream has it: then m may be settled. A body larger than the bus takes is cut.
func (d *DeadLetters) Write(ctx context.Context, reason string, m events.Message, cause error) error {
	out := Encode(d.prefix(), m)
	set := func(k, v string) { out.Header[k] = []string{v} }
	set(HeaderDeadReason, reason)
	set(HeaderDeadOrigin, strings.Trim(m.Transport+"/"+m.Server, "/"))
	set(HeaderDeadTime, time.Now().UTC().Format(time.RFC3339Nano))
	set(HeaderDeadSubject, out.Subject)
	if cause != nil {
		text := cause.Error()
		set(HeaderDeadError, strings.ToValidUTF8(text[:min(len(text), maxDeadError)], "?"))
	}
	// The stream drops a second letter about the same content of the same message,
	// as after a redelivery, per reason; other parts of it have letters of their own.
	set(HeaderMessageID, reason+"/"+out.Header.Get(HeaderMessageID)+"/"+MessageID(m))
	out.Subject = DeadPrefix + "." + token(reason)
	limit := int(d.JetStream.Conn().MaxPayload()) - headerSize(out.Header) - len(HeaderDeadSize) - 32
	if len(out.Data) > limit {
		set(HeaderDeadSize, strconv.Itoa(len(out.Data)))
		out.Data = out.Data[:max(limit, 0)]
	}
	if _, err := d.JetStream.PublishMsg(ctx, out); err != nil {
		return fmt.Errorf("keep dead letter (%s): %w", reason, err)
	}
	return nil
}

// listBytes bounds the dead letters under way to a list.
const listBytes = 4 << 20

// List goes through the dead letters from the oldest to the newest, at most those
// there are when it is called; of one reason, or of all with an empty one.
func (d *DeadLetters) List(ctx context.Context, reason string, each func(Dead) error) error {
	config := natsjs.OrderedConsumerConfig{FilterSubjects: []string{d.filter(reason)}, InactiveThreshold: 10 * time.Second}
	consumer, err := ordered.Consumer(ctx, d.JetStream, d.stream(), config)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	defer End(ctx, d.JetStream, d.stream(), consumer)
	messages, err := consumer.Messages(natsjs.PullMaxBytes(listBytes))
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	defer messages.Stop()
	for left := info.NumPending; left > 0; left-- {
		m, err := messages.Next(natsjs.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("dead letters: %w", err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("dead letters: %w", err)
		}
		if err := each(d.read(meta.Sequence.Stream, m.Headers(), m.Data())); err != nil {
			return err
		}
		left = min(left, meta.NumPending+1)
	}
	return nil
}

// End removes an ordered consumer that has done its work. Else it would count against
// the stream's limit of consumers until it has been idle for a while, as happens when
// removing it fails.
func End(ctx context.Context, js natsjs.JetStream, stream string, consumer natsjs.Consumer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	if info := consumer.CachedInfo(); info != nil {
		_ = js.DeleteConsumer(ctx, stream, info.Name)
	}
}

func (d *DeadLetters) filter(reason string) string {
	if reason == "" {
		return DeadPrefix + ".>"
	}
	return DeadPrefix + "." + token(reason)
}

// Get reads one dead letter.
func (d *DeadLetters) Get(ctx context.Context, sequence uint64) (Dead, error) {
	s, err := d.JetStream.Stream(ctx, d.stream())
	if err != nil {
		return Dead{}, fmt.Errorf("dead letters: %w", err)
	}
	m, err := s.GetMsg(ctx, sequence)
	if err != nil {
		return Dead{}, fmt.Errorf("dead letter %d: %w", sequence, err)
	}
	return d.read(sequence, m.Header, m.Data), nil
}

func (d *DeadLetters) read(sequence uint64, h nats.Header, body []byte) Dead {
	dead := Dead{
		Sequence: sequence, Reason: h.Get(HeaderDeadReason), Error: h.Get(HeaderDeadError), Origin: h.Get(HeaderDeadOrigin),
		Size: len(body), subject: h.Get(HeaderDeadSubject),
	}
	dead.Time, _ = time.Parse(time.RFC3339Nano, h.Get(HeaderDeadTime)) // zero when a stranger wrote it
	dead.Error = dead.Error[:min(len(dead.Error), maxDeadError)]       // a stranger's may be of any length
	if n, err := strconv.Atoi(h.Get(HeaderDeadSize)); err == nil && n > len(body) {
		dead.Size = n
	}
	for _, k := range []string{HeaderDeadReason, HeaderDeadError, HeaderDeadOrigin, HeaderDeadTime, HeaderDeadSubject, HeaderDeadSize, HeaderMessageID} {
		h.Del(k)
	}
	dead.Message = Decode(d.prefix(), dead.subject, h, body)
	return dead
}

// ErrCut: a dead letter holds only the beginning of what arrived.
var ErrCut = errors.New("only the beginning of it was kept")

// ReasonOutput is the reason of what the destination of an output refused: no event,
// and so never put among the events.
const ReasonOutput = "output_refused"

// ErrNoEvent: a dead letter is not input.
var ErrNoEvent = errors.New("it is what an output could not forward, and no event")

// Replay puts a dead letter back among the events, where it arrived first, and
// then removes it. Replaying it once more is refused by its absence.
func (d *DeadLetters) Replay(ctx context.Context, dead Dead) error {
	if dead.Reason == ReasonOutput {
		return fmt.Errorf("dead letter %d: %w", dead.Sequence, ErrNoEvent)
	}
	if dead.Size > len(dead.Message.Body) {
		return fmt.Errorf("dead letter %d: %w", dead.Sequence, ErrCut)
	}
	m := d.replayed(dead)
	ingest := d.Ingest
	if ingest == nil {
		ingest = d.JetStream
	}
	if _, err := ingest.PublishMsg(ctx, m); err != nil {
		return fmt.Errorf("replay dead letter %d: %w", dead.Sequence, err)
	}
	s, err := d.JetStream.Stream(ctx, d.stream())
	if err == nil {
		err = s.DeleteMsg(ctx, dead.Sequence)
	}
	if err != nil {
		return fmt.Errorf("dead letter %d is replayed but still listed: %w", dead.Sequence, err)
	}
	return nil
}

// replayed returns the message of a dead letter as it is put back. A subject that no
// message can have, as a stranger may write it, gives way to that of the message.
func (d *DeadLetters) replayed(dead Dead) *nats.Msg {
	m := Encode(d.prefix(), dead.Message)
	if strings.HasPrefix(dead.subject, d.prefix()+".") && literal(dead.subject) {
		m.Subject = dead.subject
	}
	m.Header.Set(HeaderMessageID, fmt.Sprintf("replay/%d/%d", dead.Sequence, dead.Time.UnixNano()))
	return m
}

// literal reports whether a message can be published on a subject.
func literal(subject string) bool {
	for word := range strings.SplitSeq(subject, ".") {
		if word == "" || strings.ContainsAny(word, "*> \t\r\n\x00") {
			return false
		}
	}
	return true
}

// Purge removes the dead letters of a reason, or all with an empty one, and says
// how many there were.
func (d *DeadLetters) Purge(ctx context.Context, reason string) (uint64, error) {
	s, err := d.JetStream.Stream(ctx, d.stream())
	if err != nil {
		return 0, fmt.Errorf("dead letters: %w", err)
	}
	info, err := s.Info(ctx, natsjs.WithSubjectFilter(d.filter(reason)))
	if err != nil {
		return 0, fmt.Errorf("dead letters: %w", err)
	}
	var n uint64
	for _, count := range info.State.Subjects {
		n += count
	}
	if err := s.Purge(ctx, natsjs.WithPurgeSubject(d.filter(reason))); err != nil {
		return 0, fmt.Errorf("purge dead letters: %w", err)
	}
	return n, nil
}
