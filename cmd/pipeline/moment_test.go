package main

import (
	"errors"
	"net/url"
	"testing"
	"time"
)

func TestAnEndByTheTimeOfDayFollowsTheBeginning(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.Local)
	for _, c := range []struct {
		since, until string
		want         time.Time
	}{
		{"00:00", "23:59", time.Date(2026, 1, 31, 23, 59, 0, 0, time.Local)},
		{"22:00", "23:59", time.Date(2026, 1, 30, 23, 59, 0, 0, time.Local)},
		{"22:00", "03:00", time.Date(2026, 1, 31, 3, 0, 0, 0, time.Local)},
		{"1h", "2h", now.Add(-2 * time.Hour)}, // the service says that this is wrong
	} {
		since, until := moment{now: func() time.Time { return now }}, moment{now: func() time.Time { return now }}
		if err := errors.Join(since.Set(c.since), until.Set(c.until)); err != nil {
			t.Fatal(err)
		}
		q := url.Values{}
		setMoments(q, since, until)
		if got := q.Get("until"); got != c.want.Format(time.RFC3339) {
			t.Errorf("%s until %s: %s, want %v", c.since, c.until, got, c.want)
		}
	}
}

func TestMoments(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 3, 30, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"90m":                  now.Add(-90 * time.Minute),
		"03:10":                time.Date(2026, 1, 31, 3, 10, 0, 0, time.Local),
		"23:00":                time.Date(2026, 1, 30, 23, 0, 0, 0, time.Local),
		"2026-01-02 03:04":     time.Date(2026, 1, 2, 3, 4, 0, 0, time.Local),
		"2026-01-02":           time.Date(2026, 1, 2, 0, 0, 0, 0, time.Local),
		"2026-01-02T03:04:05Z": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	} {
		m := moment{now: func() time.Time { return now }}
		if err := m.Set(text); err != nil || !m.at.Equal(want) {
			t.Errorf("%s is %v, %v; want %v", text, m.at, err, want)
		}
	}
	for _, text := range []string{"", "-1h", "yesterday", "25:00", "2026-13-01"} {
		m := moment{now: func() time.Time { return now }}
		if err := m.Set(text); err == nil || m.String() != "" {
			t.Errorf("%q is taken as %v", text, m.at)
		}
	}
}

// TestMomentsKeepTheirFraction: "until now" means what was made in this second, too.
func TestMomentsKeepTheirFraction(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 3, 10, 0, 900_000_000, time.UTC)
	until, q := moment{now: func() time.Time { return now }}, url.Values{}
	if err := until.Set("0s"); err != nil {
		t.Fatal(err)
	}
	setMoments(q, moment{}, until)
	if got, err := time.Parse(time.RFC3339, q.Get("until")); err != nil || !got.Equal(now) {
		t.Errorf("until = %s, %v, want %s", got, err, now)
	}
}
