package health

import (
	"fmt"
	"testing"
	"time"
)

func TestOnlyNeededChecksMakeUnready(t *testing.T) {
	t.Parallel()
	for _, state := range States() {
		for _, needed := range []bool{false, true} {
			c := Check{Name: "x", State: state, Needed: needed}
			want := !needed || state == OK || state == Degraded
			if got := Ready([]Check{Good("y", ""), c}); got != want {
				t.Errorf("%s, needed %v: ready %v, want %v", state, needed, got, want)
			}
		}
	}
	if Ready(nil) {
		t.Error("ready without any check")
	}
}

func TestSinceIsTheBeginningOfTheState(t *testing.T) {
	t.Parallel()
	var s Since
	begin := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for minute, step := range []struct {
		state State
		own   time.Time
		want  int // minute
	}{{OK, time.Time{}, 0}, {OK, time.Time{}, 0}, {Failed, time.Time{}, 2}, {Failed, time.Time{}, 2}, {Unknown, time.Time{}, 4}, {OK, time.Time{}, 5}, {Failed, begin.Add(time.Minute), 1}} {
		now := begin.Add(time.Duration(minute) * time.Minute)
		got := s.Note(now, []Check{{Name: "x", State: step.state, Since: step.own}, Good("other", "")})
		if want := begin.Add(time.Duration(step.want) * time.Minute); !got[0].Since.Equal(want) || !got[1].Since.Equal(begin) {
			t.Errorf("minute %d: since %v and %v, want %v", minute, got[0].Since, got[1].Since, want)
		}
	}
}

func TestBareHasNoReasons(t *testing.T) {
	t.Parallel()
	c := Bad("bus", Failed, "mend it", "it is %s", "down").Need()
	c.Since = time.Now()
	if got, want := fmt.Sprintf("%+v", c.Bare()), fmt.Sprintf("%+v", Check{Name: "bus", State: Failed, Needed: true}); got != want {
		t.Errorf("bare: %s, want %s", got, want)
	}
	if c.Evidence != "it is down" {
		t.Errorf("evidence %q", c.Evidence)
	}
}
