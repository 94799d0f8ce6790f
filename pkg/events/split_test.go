package events_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/batch"
)

// TestSplitIsDecode: a body gives the same events whole, as files and the bus deliver it,
// and taken apart, as posts are; an element that is no event costs no other.
func TestSplitIsDecode(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	decode := func(body string) (ids []string) {
		var d events.Decoder
		found, _ := d.Decode(&events.Message{Body: []byte(body), ContentType: "application/json", Received: at})
		for _, e := range found {
			ids = append(ids, e.Process.Path)
		}
		return ids
	}
	code := base64.StdEncoding.EncodeToString
	rapid.Check(t, func(t *rapid.T) {
		form := rapid.SampledFrom([]string{"array", "lines", "concatenated", "post", "post of base64", "post of bare base64", "array over lines"}).Draw(t, "form")
		var elements, want []string
		for i := range rapid.IntRange(1, 6).Draw(t, "n") {
			text := rapid.SampledFrom([]string{"", "", "", "5", "null", "true", `"x"`, "[]", "[3]"}).Draw(t, "element")
			if text == "" {
				name := fmt.Sprintf(`c:\\%d%s.exe`, i, rapid.SampledFrom([]string{"", "é", "{", "]", ","}).Draw(t, "name"))
				want = append(want, strings.ReplaceAll(name, `\\`, `\`))
				text = fmt.Sprintf(`{"type":"ingress.event.procstart","sensor_id":1,"timestamp":%d,"pid":4,"path":"%s"}`, at.Unix(), name)
				switch form {
				case "post of base64":
					text = `"` + code([]byte(text)) + `"`
				case "post of bare base64":
					text = code([]byte(text + rapid.SampledFrom([]string{"", ",", ", ", "\n"}).Draw(t, "end")))
				}
			}
			elements = append(elements, text)
		}
		comma := rapid.SampledFrom([]string{",", ", ", ",\n", " ,\r\n"}).Draw(t, "comma")
		body := ""
		switch form {
		case "array":
			body = "[" + strings.Join(elements, comma) + "]"
		case "array over lines":
			body = "[\n" + strings.Join(elements, ",\n") + "\n]\n"
		case "lines":
			body = strings.Join(elements, "\n")
		case "concatenated":
			body = strings.Join(slices.DeleteFunc(elements, func(s string) bool { return s[0] != '{' }), "")
		default:
			body = `{"filename":"f","service":"carbonblack","alerts":[` + strings.Join(elements, comma) + "]}"
		}
		whole := decode(body)
		if !slices.Equal(whole, want) {
			t.Fatalf("whole: %q, want %q of %s", whole, want, body)
		}
		var apart, byLine []string
		for _, piece := range batch.Split([]byte(body)).Events {
			apart = append(apart, decode(string(piece))...)
		}
		if !slices.Equal(apart, want) {
			t.Fatalf("apart: %q, want %q of %s", apart, want, body)
		}
		if form == "array over lines" || form == "lines" {
			for line := range strings.Lines(body) {
				byLine = append(byLine, decode(line)...)
			}
			if !slices.Equal(byLine, want) {
				t.Fatalf("line by line: %q, want %q of %s", byLine, want, body)
			}
		}
	})
}

// TestArraysOverLinesLeaveNothingBehind: the brackets of an array whose elements stand on
// lines of their own are no bad events of a source that reads lines.
func TestArraysOverLinesLeaveNothingBehind(t *testing.T) {
	for _, line := range []string{"[", "]", "  ],", "[["} {
		var d events.Decoder
		if found, rejects := d.Decode(&events.Message{Body: []byte(line)}); len(found)+len(rejects) > 0 {
			t.Errorf("%q gives %v and %v", line, found, rejects)
		}
	}
	var d events.Decoder
	if _, rejects := d.Decode(&events.Message{Body: []byte("[5")}); len(rejects) == 0 {
		t.Error("an array without its end is taken")
	}
}
