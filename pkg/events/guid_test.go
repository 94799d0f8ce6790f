package events

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFormatGUID(t *testing.T) {
	for _, c := range []struct {
		name   string
		sensor int
		pid    uint32
		start  uint64
		want   string
	}{
		{"usual", 42, 4412, 133700000000000000, "0000002a-0000-113c-01da-ff710e784000"},
		{"pid beyond 16 bits", 42, 70000, 132499999990000000, "0000002a-0001-1170-01d6-bc0c4824a980"},
		{"no start, a pid", 7, 0xffffffff, 0, "00000007-ffff-ffff-0000-000000000000"},
		{"no sensor", 0, 4412, 133700000000000000, ""},
		{"neither pid nor start", 42, 0, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := FormatGUID(c.sensor, c.pid, c.start); got != c.want {
				t.Errorf("FormatGUID = %q, want %q", got, c.want)
			}
		})
	}
}

func TestParseGUIDIsTheReverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sensor := rapid.IntRange(1, 1<<31-1).Draw(t, "sensor")
		pid := rapid.Uint32Min(1).Draw(t, "pid")
		start := rapid.Uint64Range(filetimeEpoch+1, filetimeEpoch+1<<58).Draw(t, "start")
		segment := rapid.SampledFrom([]string{"", "-00000001", "-00000000002b"}).Draw(t, "segment")
		g, err := ParseGUID(FormatGUID(sensor, pid, start) + segment)
		if err != nil {
			t.Fatal(err)
		}
		if want := (GUID{sensor, int(pid), filetime(start)}); g != want {
			t.Fatalf("ParseGUID = %+v, want %+v", g, want)
		}
	})
}

func TestNoGUIDs(t *testing.T) {
	for _, s := range []string{
		"", "-1889413557093303652", "5b0f8b1e-6f0b-4a53-9a0f-0c2c1f6a7d1", "0000002A-0000-113C-01DA-FF710E784000",
		"0000002a-0000-113c-01da-ff710e784000-1", "0000002a-0000-113c-01da-ff710e784000-0000000g",
		"0000002a_0000-113c-01da-ff710e784000", "0000002a-0000-0000-0000-000000000000",
		"ABCD1234-00001267-0000113c-00000000-1d81e6d2d2d0000",
	} {
		if g, err := ParseGUID(s); err == nil {
			t.Errorf("ParseGUID(%q) = %+v, want an error", s, g)
		}
	}
}

func TestTimes(t *testing.T) {
	utc := func(s string) time.Time {
		tm, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return tm
	}
	for _, c := range []struct {
		text string
		want time.Time // zero: not a time
	}{
		{"1468946467.553", utc("2016-07-19T16:41:07.553Z")},
		{"1468946467.000000001", utc("2016-07-19T16:41:07.000000001Z")},
		{"1468946467", utc("2016-07-19T16:41:07Z")},
		{"1.468946467e9", utc("2016-07-19T16:41:07Z")},
		{"2015-11-16T19:01:07.325Z", utc("2015-11-16T19:01:07.325Z")},
		{"2015-11-16T19:01:07.325", utc("2015-11-16T19:01:07.325Z")},
		{"2015-11-16T19:01:07+01:00", utc("2015-11-16T18:01:07Z")},
		{"2022-02-10 11:50:51.686294 +0000 UTC", utc("2022-02-10T11:50:51.686294Z")},
		{"-1468946467", time.Time{}},
		{"yesterday at noon", time.Time{}},
		{"2015-13-16T19:01:07Z", time.Time{}},
		{"1468946467.5x", time.Time{}},
		{"", time.Time{}},
	} {
		got, ok := parseTime(c.text)
		if !got.Equal(c.want) || ok == c.want.IsZero() {
			t.Errorf("parseTime(%q) = %v, %v; want %v", c.text, got, ok, c.want)
		}
	}
}

func TestFiletime(t *testing.T) {
	for _, c := range []struct {
		ft   uint64
		want int64 // Unix nanoseconds; 0 for unknown
	}{
		{133700000000000000, 1725526400_000000000},
		{130921769852724721, 1447703385_272472100},
		{0, 0}, {5, 0}, {filetimeEpoch, 0}, {1<<64 - 1, 0},
	} {
		got := filetime(c.ft)
		if c.want == 0 && !got.IsZero() || c.want != 0 && got.UnixNano() != c.want {
			t.Errorf("filetime(%d) = %v, want %d", c.ft, got, c.want)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, c := range []struct{ path, name, ext string }{
		{`c:\windows\system32\cmd.exe`, "cmd.exe", "exe"},
		{`c:\temp\archive.tar.GZ`, "archive.tar.GZ", "gz"},
		{`c:/mixed\x.Ps1`, "x.Ps1", "ps1"},
		{`\\server\share\x`, "x", ""},
		{`/usr/bin/bash`, "bash", ""},
		{`/tmp/a\b.sh`, `a\b.sh`, "sh"},
		{`/home/ann/.profile`, ".profile", ""},
		{`c:\dir\`, "dir", ""},
		{"cmd.exe", "cmd.exe", "exe"},
		{"x.", "x.", ""},
		{"", "", ""},
		{`\`, "", ""},
	} {
		if name := baseName(c.path); name != c.name || extension(name) != c.ext {
			t.Errorf("%q has name %q and extension %q, want %q and %q", c.path, name, extension(name), c.name, c.ext)
		}
	}
}

func TestRegistryPaths(t *testing.T) {
	for raw, want := range map[string]string{
		`\registry\machine\software\x`:     `HKLM\software\x`,
		`\REGISTRY\MACHINE\SOFTWARE`:       `HKLM\software`,
		`\registry\user\s-1-5-18\software`: `HKEY_USERS\s-1-5-18\software`,
		`\registry\machine`:                `HKLM`,
		`\registry\machinery\x`:            `\registry\machinery\x`,
		`\registry\a\{guid}\x`:             `\registry\a\{guid}\x`,
		`HKLM\software`:                    `HKLM\software`,
		"":                                 "",
	} {
		if got := new(textPool).registryPath(raw); got != want {
			t.Errorf("registryPath(%q) = %q, want %q", raw, got, want)
		}
	}
}
