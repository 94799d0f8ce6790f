package guard

import (
	"archive/zip"
	"flag"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var allWindows = flag.Bool("windows", false, "try every window at each change of clocks, not a share of them")

// zones lists the names of the time zone database that comes with Go.
func zones(t *testing.T) []string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var names []string
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	if len(names) < 500 {
		t.Fatalf("%d zones, want all of the database", len(names))
	}
	return names
}

// shows is the definition of a window, read off the printed clock.
func shows(w Window, t time.Time) bool {
	day := func(s string) bool {
		return len(w.Days) == 0 || strings.Contains(strings.Join(w.Days, " "), strings.ToLower(s))
	}
	clock, today, yesterday := t.Format("15:04"), t.Format("Mon"), map[string]string{
		"Mon": "Sun", "Tue": "Mon", "Wed": "Tue", "Thu": "Wed", "Fri": "Thu", "Sat": "Fri", "Sun": "Sat",
	}[t.Format("Mon")]
	if w.From < w.To {
		return day(today) && w.From <= clock && clock < w.To
	}
	return day(today) && w.From <= clock || day(yesterday) && clock < w.To
}

// TestHoursInEveryZone compares windows with the printed clock around every change
// of clocks in ten years, in every zone: whether they are open, and that the next
// opening is the first.
func TestHoursInEveryZone(t *testing.T) {
	t.Parallel()
	windows := []Window{
		{From: "00:00", To: "08:00"}, {From: "00:15", To: "00:45"}, {From: "01:15", To: "01:45"}, {From: "02:00", To: "03:00"},
		{From: "02:15", To: "02:45"}, {From: "03:00", To: "02:00"}, {From: "08:00", To: "18:00"}, {From: "23:30", To: "00:30"},
		{From: "12:00", To: "12:00"}, {From: "22:00", To: "00:00"},
	}
	changes := 0
	for n, name := range zones(t) {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		end := time.Date(2030, 1, 1, 0, 0, 0, 0, zone)
		for at := time.Date(2020, 1, 1, 0, 0, 0, 0, zone); at.Before(end); {
			_, next := at.ZoneBounds()
			if next.IsZero() {
				break
			}
			at, changes = next, changes+1
			for i, w := range windows {
				if !*allWindows && (n+i+changes)%40 != 0 {
					continue
				}
				w.Zone = name
				if days := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}; i%2 == 1 {
					w.Days = days[changes%7 : changes%7+1]
				}
				compareWithClock(t, w, at)
			}
		}
	}
	if changes < 3000 {
		t.Errorf("%d changes of clocks seen in ten years, want thousands", changes)
	}
}

func compareWithClock(t *testing.T, w Window, change time.Time) {
	t.Helper()
	if wrong := w.compile(); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	var promised time.Time // when it opens next, as an earlier moment said
	for at := change.Add(-26 * time.Hour); at.Before(change.Add(26 * time.Hour)); at = at.Add(15 * time.Minute) {
		want := shows(w, at)
		got, next := w.span.open(at)
		if got != want {
			t.Errorf("%s %s–%s %v: open = %v at %s", w.Zone, w.From, w.To, w.Days, got, at)
		}
		switch {
		case want && promised.After(at):
			t.Errorf("%s %s–%s %v: open at %s, before the promised %s", w.Zone, w.From, w.To, w.Days, at, promised)
		case !want && next.IsZero(), !want && !shows(w, next.In(at.Location())):
			t.Errorf("%s %s–%s %v: closed at %s, opens next at %s, and does not", w.Zone, w.From, w.To, w.Days, at, next)
		}
		promised = next
		if want {
			promised = time.Time{}
		}
	}
}

// TestHoursWithoutAMidnight: in Beirut the clocks go from 23:59 on Saturday to 01:00
// on Sunday; Samoa once skipped a Friday.
func TestHoursWithoutAMidnight(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		w    Window
		now  string
		open bool
		next string
	}{
		"noon of that Sunday":                {w: Window{From: "08:00", To: "18:00", Days: []string{"sun"}, Zone: "Asia/Beirut"}, now: "2026-03-29T12:00:00+03:00", open: true},
		"the whole of that Sunday":           {w: Window{From: "00:00", To: "00:00", Days: []string{"sun"}, Zone: "Asia/Beirut"}, now: "2026-03-29T01:00:00+03:00", open: true},
		"begins in the gap: after it":        {w: Window{From: "00:30", To: "02:00", Days: []string{"sun"}, Zone: "Asia/Beirut"}, now: "2026-03-28T23:00:00+02:00", next: "2026-03-29T01:00:00+03:00"},
		"inside the gap: a week later":       {w: Window{From: "00:15", To: "00:45", Days: []string{"sun"}, Zone: "Asia/Beirut"}, now: "2026-03-28T23:00:00+02:00", next: "2026-04-05T00:15:00+03:00"},
		"a repeated time, first":             {w: Window{From: "02:15", To: "02:45", Zone: "Europe/Berlin"}, now: "2026-10-25T02:20:00+02:00", open: true},
		"a repeated time, between":           {w: Window{From: "02:15", To: "02:45", Zone: "Europe/Berlin"}, now: "2026-10-25T02:50:00+02:00", next: "2026-10-25T02:15:00+01:00"},
		"a repeated time, second":            {w: Window{From: "02:15", To: "02:45", Zone: "Europe/Berlin"}, now: "2026-10-25T02:20:00+01:00", open: true},
		"the Friday that Samoa skipped":      {w: Window{From: "08:00", To: "18:00", Days: []string{"fri"}, Zone: "Pacific/Apia"}, now: "2011-12-29T12:00:00-10:00", next: "2012-01-06T08:00:00+14:00"},
		"over the midnight that is missing":  {w: Window{From: "22:00", To: "06:00", Days: []string{"sat"}, Zone: "Asia/Beirut"}, now: "2026-03-29T05:59:00+03:00", open: true},
		"and closed when it has been enough": {w: Window{From: "22:00", To: "06:00", Days: []string{"sat"}, Zone: "Asia/Beirut"}, now: "2026-03-29T06:00:00+03:00", next: "2026-04-04T22:00:00+03:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if wrong := c.w.compile(); len(wrong) > 0 {
				t.Fatal(wrong)
			}
			now, err := time.Parse(time.RFC3339, c.now)
			if err != nil {
				t.Fatal(err)
			}
			open, next := c.w.span.open(now)
			got := ""
			if !next.IsZero() {
				got = next.In(c.w.span.zone).Format(time.RFC3339)
			}
			if open != c.open || got != c.next {
				t.Errorf("open = %v, next %s; want %v, %s", open, got, c.open, c.next)
			}
		})
	}
}
