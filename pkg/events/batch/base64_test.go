package batch_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"edrpipe/pkg/events/batch"
)

// TestBareBase64: the forwarder's default template writes base64 without quotes.
func TestBareBase64(t *testing.T) {
	code := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	post := func(alerts string) string {
		return `{"filename":"f","service":"carbonblack","alerts":[` + alerts + `]}`
	}
	for name, c := range map[string]struct {
		body   string
		want   string
		broken int
	}{
		"padded":           {post(code(`{"n":1}, `) + code(`{"n":22}`)), `{"n":1} {"n":22}`, 0},
		"without padding":  {post(code(`{"n": 1}, `+"  ") + code(`{"n":234}`)), `{"n": 1} {"n":234}`, 0},
		"with commas":      {post(code(`{"n":1}`) + "," + code(`{"n":22}`)), `{"n":1} {"n":22}`, 0},
		"among plain ones": {post(`{"n":1},` + code(`{"n":22}`)), `{"n":1} {"n":22}`, 0},
		"no event in it":   {post(code(`hello`)), code(`hello`) + `]}`, 1},
		"a word":           {post(`null`), `null`, 0},
	} {
		b := batch.Split([]byte(c.body))
		var got []string
		for _, e := range b.Events {
			got = append(got, string(e))
		}
		if strings.Join(got, " ") != c.want || b.Broken != c.broken {
			t.Errorf("%s: %q, %d broken; want %q, %d", name, got, b.Broken, c.want, c.broken)
		}
	}
}
