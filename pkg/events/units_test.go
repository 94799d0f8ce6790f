package events

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	tamperLine = `{"type":"ingress.event.tamper","sensor_id":42}` + "\n"
	regmodLine = `{"type":"ingress.event.regmod","sensor_id":42}` + "\n"
)

// captureLine is a line of a recording of the bus.
func captureLine(routingKey string) string {
	body := base64.StdEncoding.EncodeToString([]byte(`{"sensor_id":42}`))
	return fmt.Sprintf(`{"exchange":"api.events","routing_key":%q,"content_type":"application/json","headers":{},"body_b64":%q}`+"\n", routingKey, body)
}

// readAll reads a recording and tells of each message its line and what is in it.
func readAll(t *testing.T, text string, format Format) []string {
	t.Helper()
	var all []string
	for rec, err := range ReadRecording(strings.NewReader(text), format) {
		if r := (*Reject)(nil); errors.As(err, &r) {
			all = append(all, fmt.Sprint(rec.Line, " !", r.Reason))
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(rec.Line, " ", decoded(&Decoder{}, &rec.Message)))
	}
	return all
}

// TestOneBadLineCostsNoOther: what stands before and behind it is read.
func TestOneBadLineCostsNoOther(t *testing.T) {
	watchlist, tamper := captureLine("watchlist.31.hit.process"), captureLine("ingress.event.tamper")
	for name, c := range map[string]struct {
		text   string
		format Format
		want   []string
	}{
		"byte order mark before captures":   {byteOrderMark + watchlist + tamper, FormatBus, []string{"1 watchlist.hit.process", "2 tamper"}},
		"and where the format is not given": {byteOrderMark + watchlist + tamper, FormatAuto, []string{"1 watchlist.hit.process", "2 tamper"}},
		"bytes that are no text first":      {"\x00\x01\x02 noise\n" + tamperLine, FormatAuto, []string{"1 !bad_json", "2 tamper"}},
		"a capture cut short":               {`{"exchange":"api.events",` + "\n" + watchlist + tamper, FormatBus, []string{"1 !bad_envelope", "2 watchlist.hit.process", "3 tamper"}},
		"a line cut short before captures":  {`{"docs":[{"a":` + "\n\n" + watchlist + tamper, FormatAuto, []string{"1 !bad_json", "3 watchlist.hit.process", "4 tamper"}},
		"a line cut short before others":    {`{"docs":[{"a":` + "\n" + tamperLine + regmodLine, FormatForwarder, []string{"1 !bad_json tamper regmod"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := readAll(t, c.text, c.format); !slices.Equal(got, c.want) {
				t.Errorf("read %q, want %q", got, c.want)
			}
		})
	}
}

// TestUnitsKeepToTheirLimit: a value that never ends and a line that is too long
// cost neither memory nor the lines behind them.
func TestUnitsKeepToTheirLimit(t *testing.T) {
	open := "{\"a\":1,\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"a value that never ends": {open + strings.Repeat(tamperLine, 5), []string{"1 +2 lines", "4 +0 lines", "5 +0 lines", "6 +0 lines"}},
		"a line beyond the limit": {strings.Repeat("x", 200) + "\n" + tamperLine, []string{"1 cut", "2 +0 lines"}},
		"behind an open value":    {open + strings.Repeat("x", 200) + "\n" + tamperLine, []string{"1 +0 lines", "2 cut", "3 +0 lines"}},
		"without a line break":    {strings.Repeat("x", 200), []string{"1 cut"}},
	} {
		t.Run(name, func(t *testing.T) {
			u := units{in: bufio.NewReaderSize(strings.NewReader(c.text), 16), line: 1, most: 120}
			var got []string
			for u.next() {
				how := fmt.Sprintf("+%d lines", strings.Count(strings.TrimSpace(string(u.text)), "\n"))
				if u.cut {
					how = "cut"
				}
				got = append(got, fmt.Sprint(u.start, " ", how))
			}
			if u.err != nil || !slices.Equal(got, c.want) {
				t.Errorf("units %q (%v), want %q", got, u.err, c.want)
			}
		})
	}
}

func TestEventsInsideOtherText(t *testing.T) {
	for name, text := range map[string]string{
		"syslog as sent":               "<6> 2024-09-05T08:53:22Z host cb[1]: " + tamperLine,
		"syslog as rsyslog keeps it":   "Sep  5 08:53:22 host cb[1]: " + tamperLine,
		"and with a time of RFC 3339":  "2024-09-05T08:53:22.1+00:00 host cb[1]: " + tamperLine,
		"HEC with the event as text":   `{"event":` + fmt.Sprintf("%q", strings.TrimSpace(tamperLine)) + "}",
		"HEC with the source's type":   `{"sourcetype":"x","event":` + fmt.Sprintf("%q", strings.TrimSpace(tamperLine)) + "}",
		"HEC with the event as object": `{"event":` + tamperLine + "}",
	} {
		if got := decoded(&Decoder{}, &Message{Body: []byte(text)}); got != "tamper" {
			t.Errorf("%s gives %q", name, got)
		}
	}
	if got := decoded(&Decoder{}, &Message{Body: []byte("Once upon a time " + tamperLine)}); got != "!bad_json" {
		t.Errorf("prose before an event gives %q", got)
	}
}
