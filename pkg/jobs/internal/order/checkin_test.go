package order

import (
	"testing"
	"time"

	"edrpipe/pkg/edr"
)

func TestWhenASessionIsAskedForAndHowLongItIsWaitedFor(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	for name, tc := range map[string]struct {
		last, next time.Time
		want       time.Duration
		waited     time.Duration // for the check-in
	}{
		"check-in is near":                  {at(-25), at(5), 0, 5 * time.Second},
		"check-in is far":                   {at(-1), at(29), 29*time.Second - lead, 29 * time.Second},
		"check-in is over":                  {at(-31), at(-1), 29*time.Second - lead, 0},
		"the server's clock is ahead of us": {at(300), at(330), 0, 30 * time.Second},
		"check-in is not known":             {time.Time{}, time.Time{}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			sn := &Sensor{Read: now, Info: edr.Sensor{LastCheckin: tc.last, NextCheckin: tc.next, Online: true, LiveResponse: true}}
			if got := sn.SessionFrom(now).Sub(now); got != tc.want {
				t.Errorf("asked for in %v, want %v", got, tc.want)
			}
			if got := UntilCheckin(sn.Info, now); got != tc.waited {
				t.Errorf("waited for during %v, want %v", got, tc.waited)
			}
		})
	}
}
