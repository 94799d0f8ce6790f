package guard

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a static binary has no zone files around it
)

// span is a daily stretch of time on some days of the week.
type span struct {
	from, to time.Duration // since midnight; to may lie in the next day
	days     [7]bool       // by time.Weekday
	zone     *time.Location
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// compile reads the window's texts; it returns what is wrong by key.
func (w *Window) compile() map[string]error {
	wrong := map[string]error{}
	var err error
	if w.span.zone, err = time.LoadLocation(w.Zone); err != nil {
		wrong["timezone"] = fmt.Errorf("%q is not a time zone: write something like Europe/Berlin", w.Zone)
	}
	if w.span.from, err = clock(w.From); err != nil && w.From != "" {
		wrong["from"] = err
	}
	if w.span.to, err = clock(w.To); err != nil && w.To != "" {
		wrong["to"] = err
	}
	if w.span.to <= w.span.from {
		w.span.to += 24 * time.Hour
	}
	for _, day := range w.Days {
		i := slices.Index(weekdays, strings.ToLower(day))
		if i < 0 {
			wrong["days"] = fmt.Errorf("%q is not a day: write mon, tue, wed, thu, fri, sat or sun", day)
			continue
		}
		w.span.days[i] = true
	}
	if len(w.Days) == 0 {
		w.span.days = [7]bool{true, true, true, true, true, true, true}
	}
	return wrong
}

func clock(s string) (time.Duration, error) {
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, errors.New("write a time of day like 08:00")
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// open reports whether now is inside the window, and if not, when it opens next
// (zero: never). Windows are read off the wall clock of their zone: a time that a
// day's clocks skip lies in no window of that day, one that they show twice is
// inside both times, and a day without a midnight has its windows like any other.
func (s span) open(now time.Time) (open bool, next time.Time) {
	if s.contains(now) {
		return true, time.Time{}
	}
	for day := 0; day <= 9; day++ { // more than a week: a zone may have skipped the only day
		for _, t := range s.openings(now, day) {
			if t.After(now) && s.contains(t) && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	return false, next
}

// contains reports whether the wall clock at t shows a time of the window.
func (s span) contains(t time.Time) bool {
	local := t.In(s.zone)
	clock := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second
	today := local.Weekday()
	yesterday := (today + 6) % 7
	return s.days[today] && s.from <= clock && clock < s.to || s.days[yesterday] && clock+24*time.Hour < s.to
}

// openings are the instants at which the window may open around the calendar day
// that is days after the day of now: where the clock shows the window's beginning,
// and where it jumps.
func (s span) openings(now time.Time, days int) (all []time.Time) {
	y, m, d := now.In(s.zone).Date()
	wall := time.Date(y, m, d+days, 0, 0, 0, 0, time.UTC).Add(s.from)
	last := wall.Add(26 * time.Hour) // no zone is further from UTC
	for t := wall.Add(-26 * time.Hour); t.Before(last); {
		local := t.In(s.zone)
		_, offset := local.Zone()
		begins, ends := local.ZoneBounds()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if !at.Before(begins) && (ends.IsZero() || at.Before(ends)) {
			all = append(all, at)
		}
		if ends.IsZero() || ends.After(last) {
			break
		}
		all, t = append(all, ends), ends
	}
	return all
}
