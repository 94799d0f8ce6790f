package jetstream

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// life is a model of one reader on one stream: what the stream has, what the
// handler did, and the mark, which is all that survives a crash.
type life struct {
	stream  []uint64        // sequences that pass the filter: with gaps
	settled map[uint64]bool // in any life so far
	mark    uint64

	floor *floor
	next  int // in the stream
	held  map[uint64]int
	given map[uint64]int // given back, to come again
}

// restart begins a new life after a crash or a clean end: at the mark.
func (l *life) restart(*rapid.T) {
	l.floor = newFloor(l.mark)
	l.held, l.given = map[uint64]int{}, map[uint64]int{}
	l.next = 0
	for l.next < len(l.stream) && l.stream[l.next] <= l.mark {
		l.next++
	}
}

func (l *life) deliver(t *rapid.T) {
	if l.next == len(l.stream) {
		t.Skip("nothing is left")
	}
	seq := l.stream[l.next]
	l.next++
	l.held[seq] = l.floor.deliver(seq)
}

func (l *life) settle(t *rapid.T) {
	seq := pick(t, l.held)
	l.settled[seq] = true
	l.floor.settle(l.held[seq])
	delete(l.held, seq)
}

func (l *life) giveBack(t *rapid.T) {
	seq := pick(t, l.held)
	l.floor.back()
	l.given[seq] = l.held[seq]
	delete(l.held, seq)
}

func (l *life) comeAgain(t *rapid.T) {
	seq := pick(t, l.given)
	l.floor.again()
	l.held[seq] = l.given[seq]
	delete(l.given, seq)
}

func (l *life) save(*rapid.T) { l.mark, _, _ = l.floor.now() }

// check is what may never be broken: below the mark and the floor everything was
// settled, and nothing is given up that the handler has.
func (l *life) check(t *rapid.T) {
	at, settled, unsettled := l.floor.now()
	for _, seq := range l.stream {
		if seq <= max(at, l.mark) && !l.settled[seq] {
			t.Fatalf("%d is not settled, and the floor is %d, the mark %d", seq, at, l.mark)
		}
	}
	if at < l.mark {
		t.Fatalf("floor %d is below the mark %d", at, l.mark)
	}
	if want := len(l.held) + len(l.given); unsettled != want {
		t.Fatalf("%d unsettled, want %d", unsettled, want)
	}
	above := 0
	for _, seq := range l.stream[:l.next] {
		if seq > at && !has(l.held, seq) && !has(l.given, seq) {
			above++
		}
	}
	if settled != above {
		t.Fatalf("%d settled above the floor, want %d", settled, above)
	}
	select {
	case <-l.floor.quiet():
		if len(l.held) > 0 {
			t.Fatalf("quiet, and the handler has %d messages", len(l.held))
		}
	default:
		if len(l.held) == 0 {
			t.Fatal("the handler has nothing, and it is not quiet")
		}
	}
}

func has(m map[uint64]int, seq uint64) bool { _, ok := m[seq]; return ok }

func pick(t *rapid.T, from map[uint64]int) uint64 {
	if len(from) == 0 {
		t.Skip("there is none")
	}
	keys := make([]uint64, 0, len(from))
	for k := range from {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return rapid.SampledFrom(keys).Draw(t, "message")
}

// TestNoMarkAboveTheUnsettled: no sequence of deliveries, settlements in any
// order, messages given back, marks, crashes and restarts marks as done what was
// not settled; and what was not comes again.
func TestNoMarkAboveTheUnsettled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &life{settled: map[uint64]bool{}}
		seq := uint64(0)
		for range rapid.IntRange(1, 40).Draw(t, "messages") {
			seq += rapid.Uint64Range(1, 3).Draw(t, "gap")
			l.stream = append(l.stream, seq)
		}
		l.restart(t)
		t.Repeat(map[string]func(*rapid.T){
			"": l.check, "deliver": l.deliver, "deliver more": l.deliver, "settle": l.settle, "settle more": l.settle,
			"give back": l.giveBack, "come again": l.comeAgain, "save": l.save, "crash": l.restart,
		})
		for l.next < len(l.stream) { // in the end all is settled, and marked
			l.deliver(t)
		}
		for _, left := range []map[uint64]int{l.held, l.given} {
			for seq, n := range left {
				l.settled[seq] = true
				l.floor.held = max(l.floor.held, 1) // those given back are with the handler again
				l.floor.settle(n)
			}
		}
		l.save(t)
		if len(l.settled) != len(l.stream) || l.mark != l.stream[len(l.stream)-1] {
			t.Fatalf("%d of %d are settled, the mark is %d", len(l.settled), len(l.stream), l.mark)
		}
	})
}
