package binaries

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Log is the durable record that all replicas share.
type Log interface {
	// Write writes the latest record of a hash.
	Write(ctx context.Context, hash string, record []byte) error
	// Follow calls see with all records, the oldest first, and then with new ones,
	// until ctx ends or an error. A record that does not verify is left out.
	Follow(ctx context.Context, see func(hash string, record []byte)) error
}

// Config is what a Store needs. Zero values mean what the comments say.
type Config struct {
	Log     Log                         // nil: nothing is durable
	Readers map[string]edr.BinaryReader // by configured server; the servers that can be requested
	Bytes   int                         // of memory; 0: 64 MiB
	Every   time.Duration               // between requests to one server; 0: 100 ms
	// Changed is called when metadata of some image has become known. It must not
	// block. Nil: no calls.
	Changed func()
	Now     func() time.Time // nil: time.Now
	Logger  zerolog.Logger
}

const (
	unwritten  = 1_000            // records that wait to be written; more are only in memory
	writeTime  = 10 * time.Second // of one record
	followPace = 5 * time.Second  // before the log is followed again after an error
)

// Store is what is known of binaries. Its owner calls Run.
type Store struct {
	cfg     Config
	memory  *memory
	writes  chan Record
	fetcher map[string]*fetcher // by server

	unwritten atomic.Uint64 // records that could not be written
}

// New makes an empty store. It sends no request.
func New(c Config) *Store {
	c.Bytes, c.Every = cmp.Or(c.Bytes, 64<<20), cmp.Or(c.Every, 100*time.Millisecond)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	s := &Store{cfg: c, memory: newMemory(c.Bytes), writes: make(chan Record, unwritten), fetcher: map[string]*fetcher{}}
	for server, reader := range c.Readers {
		s.fetcher[server] = newFetcher(s, server, reader)
	}
	return s
}

// Run follows the log, writes what is learned, and requests what is wanted, until ctx
// ends.
func (s *Store) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	if s.cfg.Log != nil {
		all.Go(func() { s.follow(ctx) })
		all.Go(func() { s.write(ctx) })
	}
	for _, f := range s.fetcher {
		all.Go(func() { f.run(ctx) })
	}
}

// Fill sets the image of an event, if it is known. If its server may yet provide it, it
// is pending.
func (s *Store) Fill(e *events.Event) {
	md5, sha256 := e.ImageHashes()
	if e.Image.Known || md5 == "" && sha256 == "" {
		return
	}
	if image, ok := s.memory.find(md5, sha256); ok {
		e.Image = image
		return
	}
	if f := s.fetcher[e.Sensor.Server]; f != nil && md5 != "" && f.mayKnow(md5) {
		e.Sensor.Pending |= events.FactImage
	}
}

// Want requests the image of an event from its server, unless that was done lately. It
// does not block.
func (s *Store) Want(e *events.Event) {
	md5, _ := e.ImageHashes()
	if f := s.fetcher[e.Sensor.Server]; f != nil && md5 != "" && !e.Image.Known {
		f.want(md5)
	}
}

// Learn takes the metadata of an event that describes a binary.
func (s *Store) Learn(e *events.Event) {
	if image, ok := events.ImageOf(e); ok {
		s.learn(Record{MD5: e.Binary.MD5, SHA256: e.Binary.SHA256, Image: image})
	}
}

// learn keeps a record here and has it written for the other replicas.
func (s *Store) learn(r Record) {
	r = r.clone()
	if !s.memory.put(r) {
		return
	}
	s.cfg.Changed()
	if s.cfg.Log == nil {
		return
	}
	select {
	case s.writes <- r:
	default:
		s.unwritten.Add(1)
	}
}

// Size returns the number of binaries in memory and their bytes.
func (s *Store) Size() (records, bytes int) { return s.memory.size() }

// Unwritten is how many records are in memory only, as the log could not take them.
func (s *Store) Unwritten() uint64 { return s.unwritten.Load() }

func (s *Store) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-s.writes:
			if err := s.writeOne(ctx, &r); err != nil && ctx.Err() == nil {
				s.unwritten.Add(1)
				s.cfg.Logger.Warn().Err(err).Str("hash", r.key()).Msg("metadata of a binary is in memory only: after a restart it is requested again")
			}
		}
	}
}

func (s *Store) writeOne(ctx context.Context, r *Record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record of binary %s: %w", r.key(), err)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return s.cfg.Log.Write(ctx, r.key(), data)
}

// follow takes what is in the log.
func (s *Store) follow(ctx context.Context) {
	for {
		err := s.cfg.Log.Follow(ctx, s.read)
		if ctx.Err() != nil {
			return
		}
		s.cfg.Logger.Warn().Err(err).Msg("metadata of binaries from other replicas is not read; it is tried again")
		if pace.Sleep(ctx, followPace) != nil {
			return
		}
	}
}

// decode reads the record of a hash.
func decode(hash string, data []byte) (r Record, err error) {
	switch err = json.Unmarshal(data, &r); {
	case err != nil:
		return Record{}, err
	case r.key() != hash:
		return Record{}, fmt.Errorf("it is of %q", r.key())
	case !r.Image.Known:
		return Record{}, errors.New("it says nothing")
	}
	return r, nil
}

func (s *Store) read(hash string, data []byte) {
	r, err := decode(hash, data)
	if err != nil {
		s.cfg.Logger.Warn().Err(err).Str("hash", hash).Msg("a record of a binary cannot be read and is left out")
		return
	}
	if s.memory.put(r) {
		s.cfg.Changed()
	}
}
