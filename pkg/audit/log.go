package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"edrpipe/internal/pace"
)

// Store keeps blocks of lines in order. Several replicas may write to one.
type Store interface {
	// Last returns the last block and its position; of an empty store, position 0.
	Last(ctx context.Context) (block []byte, position uint64, err error)
	// Append adds a block provided that position after is still the last, else
	// ErrConflict; it returns when the block is durable.
	Append(ctx context.Context, block []byte, after uint64) error
	Reader
}

// Reader is the reading end of a Store.
type Reader interface {
	// Read visits the blocks in order. Positions count from 1 without gaps.
	Read(ctx context.Context, visit func(position uint64, block []byte) error) error
}

// ErrConflict says that another replica appended in between.
var ErrConflict = errors.New("somebody else has written to the log")

// Config is what a Log is made of.
type Config struct {
	Store Store
	Key   []byte           // nil: unkeyed hashes
	Now   func() time.Time // nil: time.Now

	// Reached is told the last entry of each block that is in the store, before
	// Append returns for any of its entries. nil: nobody is.
	Reached func(Head)

	// Passed is told when the log goes on behind blocks that somebody else wrote. nil:
	// nobody is.
	Passed func(Report)
	// Noted gives heads that the log must still have to be continued there. nil: none.
	Noted func() ([]Head, error)
}

// Log is the writing end of an audit log. It is safe for concurrent use; entries
// that come together are written together.
type Log struct {
	store   Store
	key     []byte
	now     func() time.Time
	reached func(Head)
	passed  func(Report)
	noted   func() ([]Head, error)

	mu      sync.Mutex
	waiting []*write // guarded by mu

	turn chan struct{} // holds one: who writes a block for all that wait
}

// write is an entry on its way into the store.
type write struct {
	entry Entry
	err   error
	done  chan struct{} // closed when err is known
}

// New returns a log on a store. What the store holds already is continued.
func New(c Config) *Log {
	l := &Log{store: c.Store, key: c.Key, now: c.Now, reached: c.Reached, passed: c.Passed, noted: c.Noted, turn: make(chan struct{}, 1)}
	if l.now == nil {
		l.now = time.Now
	}
	if l.passed == nil {
		l.passed = func(Report) {}
	}
	if l.noted == nil {
		l.noted = func() ([]Head, error) { return nil, nil }
	}
	if l.reached == nil {
		l.reached = func(Head) {}
	}
	return l
}

// Append writes an entry and returns when it is durable. Without an error it is
// in the log exactly once. After an error it may be.
func (l *Log) Append(ctx context.Context, e Entry) error {
	if e.Time.IsZero() {
		e.Time = l.now()
	}
	w := &write{entry: e, done: make(chan struct{})}
	l.mu.Lock()
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()
	for {
		select {
		case <-w.done:
			return w.err
		case <-ctx.Done():
			return fmt.Errorf("audit log: %w", context.Cause(ctx))
		case l.turn <- struct{}{}:
			l.write(ctx)
			<-l.turn
		}
	}
}

// write writes the oldest entries that wait, and answers their callers.
func (l *Log) write(ctx context.Context) {
	batch := l.batch()
	if len(batch) == 0 {
		return
	}
	err := l.flush(ctx, batch)
	for _, w := range batch {
		w.err = err
		close(w.done)
	}
}

// maxBlock keeps blocks well below what a message may hold, bytes.
const maxBlock = 512 << 10

// batch takes the next entries that fit one block.
func (l *Log) batch() []*write {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, size := 0, 0
	for n < len(l.waiting) && (n == 0 || size < maxBlock) {
		size += l.waiting[n].entry.size()
		n++
	}
	batch := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	return batch
}

// flush writes a batch as one block behind whatever is last.
func (l *Log) flush(ctx context.Context, batch []*write) error {
	const attempts = 100
	var sent []byte
	var end Head
	var failed error
	for attempt := range attempts {
		last, position, err := l.store.Last(ctx)
		if err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
		// An append whose answer was lost. After a conflict it is another replica's,
		// however alike: that one was surely not ours.
		if sent != nil && !errors.Is(failed, ErrConflict) && bytes.Equal(last, sent) {
			l.reached(end)
			return nil
		}
		if sent, end, err = l.block(ctx, last, batch); err != nil {
			return err
		}
		if failed = l.store.Append(ctx, sent, position); failed == nil {
			l.reached(end)
			return nil
		}
		if err := pace.Sleep(ctx, min(time.Duration(attempt)*5*time.Millisecond, 100*time.Millisecond)); err != nil {
			return fmt.Errorf("audit log: %w (%w)", failed, err)
		}
	}
	return fmt.Errorf("audit log: not written after %d attempts: %w", attempts, failed)
}

// headOf is the last entry of a block; that of an empty one is zero.
func headOf(key, block []byte) (Head, error) {
	if len(block) == 0 {
		return Head{}, nil
	}
	lines := bytes.Split(bytes.TrimSuffix(block, []byte("\n")), []byte("\n"))
	e, hash, err := parse(key, lines[len(lines)-1])
	return Head{Seq: e.Seq, Hash: hash}, err
}

// block chains the batch's entries to the last line of the block before, and gives
// its own last one.
func (l *Log) block(ctx context.Context, last []byte, batch []*write) (block []byte, end Head, err error) {
	var entries []Entry
	if end, err = headOf(l.key, last); err != nil {
		r, err := l.pass(ctx)
		if err != nil {
			return nil, end, fmt.Errorf("audit log cannot be continued: %w", err)
		}
		end = r.Head
		if n := len(r.Foreign); n > 0 {
			entries = append(entries, Entry{Time: l.now(), Kind: "foreign", By: "audit", What: "passed", Text: fmt.Sprintf("blocks in the log's stream that are not of this log: %d, the last is block %d; somebody else wrote them", n, r.Foreign[n-1])})
		}
	}
	for _, w := range batch {
		entries = append(entries, w.entry)
	}
	for _, e := range entries {
		e.Seq, e.Prev = end.Seq+1, end.Hash
		line, hash, err := e.line(l.key)
		if err != nil {
			return nil, end, err
		}
		end = Head{Seq: e.Seq, Hash: hash}
		block = append(append(block, line...), '\n')
	}
	return block, end, nil
}

// pass finds the end of the log where the last block is not of it, or was written before
// the log had a key.
func (l *Log) pass(ctx context.Context) (Report, error) {
	noted, err := l.noted()
	if err != nil {
		return Report{}, err
	}
	r, err := Verify(ctx, l.store, l.key, noted...)
	if err == nil && len(r.Foreign) > 0 {
		l.passed(r)
	}
	return r, err
}
