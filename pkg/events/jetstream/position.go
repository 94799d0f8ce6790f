package jetstream

import (
	"strconv"
	"strings"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// position is where a delivery stands.
type position struct {
	stream   uint64 // sequence in the stream
	consumer uint64 // number among the consumer's deliveries
}

// positionOf reads the position of a delivery out of its reply subject, as
// Metadata does, but without the memory that this takes for each message. Of the
// subject's words (ADR-15 of NATS) there are nine, or, where account and domain
// stand in it, eleven and more; what has another form is left to Metadata.
func positionOf(m natsjs.Msg) (position, error) {
	if p, ok := parsePosition(m.Reply()); ok {
		return p, nil
	}
	meta, err := m.Metadata()
	if err != nil {
		return position{}, err
	}
	return position{meta.Sequence.Stream, meta.Sequence.Consumer}, nil
}

func parsePosition(reply string) (p position, ok bool) {
	rest, ok := strings.CutPrefix(reply, "$JS.ACK.")
	if !ok {
		return p, false
	}
	var begin [10]int // of words
	words := 1
	for i := range len(rest) {
		if rest[i] == '.' {
			if words < len(begin) {
				begin[words] = i + 1
			}
			words++
		}
	}
	at := 3 // after stream, consumer, deliveries
	if words >= 9 {
		at = 5
	} else if words != 7 {
		return p, false
	}
	var err, err2 error
	p.stream, err = strconv.ParseUint(rest[begin[at]:begin[at+1]-1], 10, 64)
	p.consumer, err2 = strconv.ParseUint(rest[begin[at+1]:begin[at+2]-1], 10, 64)
	return p, err == nil && err2 == nil
}
