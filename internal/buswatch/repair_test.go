package buswatch

import (
	"errors"
	"maps"
	"testing"
	"time"

	"edrpipe/pkg/bus"
)

// TestRepairsEndWhereAnotherClientFightsThem, and go on after a while.
func TestRepairsEndWhereAnotherClientFightsThem(t *testing.T) {
	t.Parallel()
	var r repairs
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for i, want := range []bool{true, true, true, false, false} {
		if got := r.may("EVENTS", now.Add(time.Duration(i)*time.Second)); got != want {
			t.Errorf("repair %d: %v, want %v", i+1, got, want)
		}
	}
	if !r.may("JOBS", now) {
		t.Error("another stream may not be repaired")
	}
	if !r.may("EVENTS", now.Add(repairsWithin+2*time.Second)) {
		t.Error("it may not be repaired after a while")
	}
}

func TestWhatCannotBeRepairedIsKnownByStream(t *testing.T) {
	t.Parallel()
	var r repairs
	sealed := errors.New("it is sealed")
	r.set(errors.Join(&bus.StreamError{Stream: "EVENTS", Err: sealed}, errors.New("no stream")))
	if got := r.failing(); !maps.Equal(got, map[string]string{"EVENTS": "it is sealed"}) {
		t.Errorf("failing %v", got)
	}
	r.set(nil)
	if got := r.failing(); len(got) != 0 {
		t.Errorf("failing %v after all was mended", got)
	}
}
