package events

import (
	"iter"
	"sync"
	"time"
)

// A Decoder makes Events from Messages. Its zero value is ready and limits the size
// only. It is safe for concurrent use and must not be changed or copied after first
// use.
type Decoder struct {
	Kinds   KindSet          // kinds to decode; others are skipped as early as their form allows. Zero: all
	LazyRaw bool             // leave Event.Raw nil until Event.LoadRaw is called: building the map costs more than all the rest
	Cloud   bool             // all JSON is Carbon Black Cloud's, also without its type's prefix
	Now     func() time.Time // what "in the future" means for a message without Received. Nil: time.Now

	MaxUnzipped int // bytes that a zip may unpack to. Zero: 64 MiB
	MaxDocument int // bytes of one JSON document or one sensor event. Zero: 16 MiB

	passes sync.Pool // of *pass, for their working memory
}

// For is a Decoder with the same settings for the given kinds only.
func (d *Decoder) For(kinds KindSet) *Decoder {
	return &Decoder{
		Kinds: kinds, LazyRaw: d.LazyRaw, Cloud: d.Cloud, Now: d.Now,
		MaxUnzipped: d.MaxUnzipped, MaxDocument: d.MaxDocument,
	}
}

// Limits that a Decoder uses when it is not given others.
const (
	DefaultMaxUnzipped = 64 << 20
	DefaultMaxDocument = 16 << 20

	maxBody       = 1 << 30 // bytes of a message; tokens count in 32 bits
	maxDepth      = 64      // nesting of JSON; the deepest seen is 5
	maxEnvelopes  = 4       // wrappers around wrappers
	maxZipEntries = 1_000   // a sensor's archive has one entry, rarely a few
)

// Events decodes a message: one event, or those of a bundle, an array, a stream of
// lines, or a hit with several documents. An invalid part yields a *Reject in place of
// an event; decoding continues after it. The events own their memory: they do not
// refer to msg.Body.
func (d *Decoder) Events(msg *Message) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		p := d.begin(msg, &d.passes)
		defer p.end()
		p.yield = yield
		p.message()
	}
}

// Decode is Events with everything collected.
func (d *Decoder) Decode(msg *Message) (events []*Event, rejects []*Reject) {
	for e, err := range d.Events(msg) {
		if err != nil {
			rejects = append(rejects, err.(*Reject))
			continue
		}
		events = append(events, e)
	}
	return events, rejects
}

func (d *Decoder) clock(msg *Message) time.Time {
	switch {
	case !msg.Received.IsZero():
		return msg.Received
	case d.Now != nil:
		return d.Now()
	}
	return time.Now()
}

func (d *Decoder) maxDocument() int {
	if d.MaxDocument > 0 {
		return d.MaxDocument
	}
	return DefaultMaxDocument
}

func (d *Decoder) maxUnzipped() int {
	if d.MaxUnzipped > 0 {
		return d.MaxUnzipped
	}
	return DefaultMaxUnzipped
}
