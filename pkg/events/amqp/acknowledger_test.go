package amqp

import (
	"fmt"
	"slices"
	"testing"
)

// TestAcknowledgements are the frames that follow from what becomes of six messages.
func TestAcknowledgements(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(a *acknowledger)
		want []string
	}{
		"all at once":               {func(a *acknowledger) { settleAll(a, 3, 1, 2, 6, 5, 4) }, []string{"6 multiple"}},
		"one alone":                 {func(a *acknowledger) { settleAll(a, 1) }, []string{"1"}},
		"below one that is open":    {func(a *acknowledger) { settleAll(a, 1, 2, 4, 5, 6) }, []string{"2 multiple"}},
		"beyond one that goes back": {func(a *acknowledger) { a.returns(3); settleAll(a, 1, 2, 4, 6) }, []string{"2 multiple", "4", "6"}},
		"one that went back":        {func(a *acknowledger) { a.returns(6); a.gaveBack(6); settleAll(a, 1, 2, 3, 4, 5) }, []string{"5 multiple"}},
		"beyond one that went back": {func(a *acknowledger) { a.returns(1); a.gaveBack(1); settleAll(a, 2, 3) }, []string{"3 multiple"}},
		"nothing":                   {func(a *acknowledger) { settleAll(a, 2) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var frames []string
			var done []uint64
			a := &acknowledger{
				ack: func(tag uint64, multiple bool) error {
					frame := fmt.Sprint(tag)
					if multiple {
						frame += " multiple"
					}
					frames = append(frames, frame)
					return nil
				},
				done: func(tag uint64) { done = append(done, tag) },
			}
			for tag := uint64(1); tag <= 6; tag++ {
				a.delivered(tag)
			}
			c.do(a)
			a.flush()
			if !slices.Equal(frames, c.want) {
				t.Errorf("frames %v, want %v", frames, c.want)
			}
			a.flush()
			if n := len(frames); n != len(c.want) {
				t.Errorf("acknowledged again: %v", frames)
			}
			open := len(a.open) + len(done)
			if name == "one that went back" || name == "beyond one that went back" {
				open++
			}
			if open != 6 {
				t.Errorf("%d of 6 messages are open or done", open)
			}
		})
	}
}

func settleAll(a *acknowledger, tags ...uint64) {
	for _, tag := range tags {
		a.mark(tag, settled)
	}
}

// TestAcknowledgesWhatIsSettledBeforeItStops.
func TestAcknowledgesWhatIsSettledBeforeItStops(t *testing.T) {
	var a acknowledger
	acked := uint64(0)
	a.start(func(tag uint64, multiple bool) error { acked = tag; return nil }, func(uint64) {})
	for tag := uint64(1); tag <= 100; tag++ {
		a.delivered(tag)
	}
	for tag := uint64(1); tag <= 100; tag++ {
		a.settle(tag)
	}
	a.stop()
	if acked != 100 {
		t.Errorf("acknowledged up to %d, want 100", acked)
	}
}
