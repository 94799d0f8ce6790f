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

// open tells whether now is inside, and if not when the next stretch begins.
func (s span) open(now time.Time) (open bool, next time.Time) {
	local := now.In(s.zone)
	for day := -1; day <= 8; day++ {
		midnight := time.Date(local.Year(), local.Month(), local.Day()+day, 0, 0, 0, 0, s.zone)
		if !s.days[midnight.Weekday()] {
			continue
		}
		begin, end := onClock(midnight, s.from), onClock(midnight, s.to)
		if now.Before(begin) {
			return false, begin
		}
		if now.Before(end) {
			return true, time.Time{}
		}
	}
	return false, time.Time{}
}

// onClock is the time of day on the day of midnight, also when clocks change on
// that day.
func onClock(midnight time.Time, since time.Duration) time.Time {
	return time.Date(midnight.Year(), midnight.Month(), midnight.Day(), int(since/time.Hour), int(since%time.Hour/time.Minute), 0, 0, midnight.Location())
}
