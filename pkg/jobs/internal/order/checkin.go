package order

import (
	"cmp"
	"time"

	"edrpipe/pkg/edr"
)

// farCheckin is the most that an expected check-in is away for choosing.
const farCheckin = time.Hour - 1

// checkin is how long the sensor's next check-in is away: an hour or more when it
// is not known, the more the longer the sensor is overdue.
func (sn *Sensor) Checkin(now time.Time) time.Duration {
	if sn.Info.NextCheckin.IsZero() {
		return time.Hour
	}
	if due, known := sn.nextCheckin(now); known {
		return min(due.Sub(now), farCheckin)
	}
	return time.Hour + now.Sub(sn.Info.NextCheckin)
}

// nextCheckin is the sensor's next check-in as reckoned from the latest that is
// known. A sensor that has not been seen for two intervals is overdue.
func (sn *Sensor) nextCheckin(now time.Time) (due time.Time, known bool) {
	next := sn.Info.NextCheckin
	late := now.Sub(next)
	if late <= 0 {
		return next, true
	}
	interval := next.Sub(sn.Info.LastCheckin)
	if interval <= 0 || late >= 2*interval {
		return time.Time{}, false
	}
	// It has come in since we looked, and will again.
	return next.Add((late/interval + 1) * interval), true
}

// untilCheckin is how long an expected check-in is waited for. None is further off
// than the sensor's interval: then the EDR server's clock is ahead of ours.
func UntilCheckin(info edr.Sensor, now time.Time) time.Duration {
	return max(0, min(info.NextCheckin.Sub(now), info.NextCheckin.Sub(info.LastCheckin)))
}

// checkinKey orders sensors as checkin does, and stays the same from one change
// of it to the next.
type checkinKey struct {
	class int // near, far, not known, overdue
	at    int64
}

const (
	checkinNear = iota
	checkinFar
	checkinUnknown
	checkinOverdue
)

func (k checkinKey) compare(l checkinKey) int {
	return cmp.Or(cmp.Compare(k.class, l.class), cmp.Compare(k.at, l.at))
}

// checkinKey returns the sensor's key and from when on it has another; zero: not
// before the sensor is read again.
func (sn *Sensor) checkinKey(now time.Time) (k checkinKey, until time.Time) {
	if sn.Info.NextCheckin.IsZero() {
		return checkinKey{class: checkinUnknown}, time.Time{}
	}
	due, known := sn.nextCheckin(now)
	switch {
	case !known:
		return checkinKey{checkinOverdue, -sn.Info.NextCheckin.UnixNano()}, time.Time{}
	case due.Sub(now) >= farCheckin:
		return checkinKey{class: checkinFar}, due.Add(1 - farCheckin)
	case due.Equal(sn.Info.NextCheckin):
		return checkinKey{checkinNear, due.UnixNano()}, due.Add(1)
	}
	return checkinKey{checkinNear, due.UnixNano()}, due
}
