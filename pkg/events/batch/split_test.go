package batch_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"edrpipe/internal/fixtures"
	"edrpipe/pkg/events/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ExampleSplit() {
	b := batch.Split([]byte(`{"filename": "/spool/1", "service": "carbonblack", "alerts":[{"n":1}
, {"n":2}
]}`))
	fmt.Println(b.Form, b.Filename)
	for _, e := range b.Events {
		fmt.Printf("%s\n", e)
	}
	// Output:
	// envelope /spool/1
	// {"n":1}
	// {"n":2}
}

func text(pieces [][]byte) []string {
	var out []string
	for _, p := range pieces {
		out = append(out, string(p))
	}
	return out
}

func TestSplit(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString([]byte("{\"a\":1}\n"))
	for _, c := range []struct {
		name, body string
		form       batch.Form
		want       []string
		broken     int
	}{
		{"nothing", " \r\n", batch.Empty, nil, 0},
		{"one event", `{"type":"x","docs":[{}]}`, batch.Values, []string{`{"type":"x","docs":[{}]}`}, 0},
		{"array", `[{"a":1},{"a":2}]`, batch.Array, []string{`{"a":1}`, `{"a":2}`}, 0},
		{"array template of the forwarder", "[{\"a\":1}\n, {\"a\":2}\n]", batch.Array, []string{`{"a":1}`, `{"a":2}`}, 0},
		{"empty array", `[]`, batch.Array, nil, 0},
		{"envelope", "{\"filename\": \"f\", \"service\": \"carbonblack\", \"alerts\":[{\"a\":1}\n, {\"a\":2}]}", batch.Envelope, []string{`{"a":1}`, `{"a":2}`}, 0},
		{"heartbeat", `{"filename": "f", "service": "carbonblack", "alerts":[]}`, batch.Envelope, nil, 0},
		{"base64", `{"filename": "f", "service": "carbonblack", "alerts":["` + b64 + `","` + b64 + `"]}`, batch.Envelope, []string{`{"a":1}`, `{"a":1}`}, 0},
		{"lines", "{\"a\":1}\r\n{\"a\":2}\r\n", batch.Values, []string{`{"a":1}`, `{"a":2}`}, 0},
		{"without separator", `{"a":1}{"a":2}`, batch.Values, []string{`{"a":1}`, `{"a":2}`}, 0},
		{"brackets in text", `[{"a":"]}[{"},{"b":"\"]"}]`, batch.Array, []string{`{"a":"]}[{"}`, `{"b":"\"]"}`}, 0},
		{"broken among good lines", "{\"a\":1}\n{\"a\":\n{\"a\":3}\n", batch.Values, []string{`{"a":1}`, `{"a":`, `{"a":3}`}, 1},
		{"broken among good elements", "[{\"a\":1}\n, {\"a\" 2}\n, {\"a\":3}]", batch.Array, []string{`{"a":1}`, `{"a" 2}`, `{"a":3}`}, 1},
		{"open string in an element", "[{\"a\":1}\n, {\"a\":\"x}\n, {\"a\":3}]", batch.Array, []string{`{"a":1}`, `{"a":"x}`, `{"a":3}`}, 1},
		{"broken among good ones in one line", `[{"a":1},{"a" 2},{"a":3}]`, batch.Array, []string{`{"a":1}`, `{"a" 2}`, `{"a":3}`}, 1},
		{"stray bracket", "[{\"a\":1}]\n, {\"a\":3}]", batch.Array, []string{`{"a":1}`, `]`, `{"a":3}`}, 1},
		{"cut short", "{\"filename\": \"f\", \"service\": \"c\", \"alerts\":[{\"a\":1}\n, {\"a", batch.Envelope, []string{`{"a":1}`, `{"a`}, 1},
		{"no JSON at all", "hello, world", batch.Values, []string{`hello, world`}, 1},
		{"an event that has alerts of its own", `{"type":"x","alerts":[1]}`, batch.Values, []string{`{"type":"x","alerts":[1]}`}, 0},
		{"byte order mark", "\xef\xbb\xbf" + `{"a":1}`, batch.Values, []string{`{"a":1}`}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := batch.Split([]byte(c.body))
			if diff := cmp.Diff(c.want, text(got.Events)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if got.Form != c.form || got.Broken != c.broken {
				t.Errorf("form %s with %d broken, want %s with %d", got.Form, got.Broken, c.form, c.broken)
			}
		})
	}
}

// TestForwarderBodies reads what a forwarder sends: as many events as its file has.
func TestForwarderBodies(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, made bool) {
		read := func(file string) []byte {
			body, err := os.ReadFile(filepath.Join(dir, "events", "wire", file))
			if err != nil {
				t.Fatal(err)
			}
			return body
		}
		want := bytes.Count(read("file.ndjson"), []byte("\n"))
		files := []string{"http-default.body.json", "http-array-template.body.json", "file.ndjson", "splunk-hec.body"}
		if made {
			files = append(files, "http-base64.body.json")
		}
		for _, file := range files {
			b := batch.Split(read(file))
			if len(b.Events) != want || b.Broken != 0 || want < 78 {
				t.Errorf("%s: %d events, %d broken; want %d, 0", file, len(b.Events), b.Broken, want)
			}
		}
	})
}

func TestEveryValidListComesApartExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Map(rapid.MapOf(rapid.String(), rapid.String()), func(m map[string]string) string {
			raw, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			return string(raw)
		}), 1, 20).Draw(t, "events")
		sep := rapid.SampledFrom([]string{",", "\n, ", " ,\r\n"}).Draw(t, "separator")
		got := batch.Split([]byte("[" + strings.Join(want, sep) + "]"))
		if diff := cmp.Diff(want, text(got.Events)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// TestHostileBodyIsReadOnce would take hours if each bracket were followed to the
// end of the body.
func TestHostileBodyIsReadOnce(t *testing.T) {
	for _, line := range []string{"{\n", "[{\n", "{\"a\n", "{\"a\":}\n"} {
		const lines = 200_000
		b := batch.Split([]byte(strings.Repeat(line, lines)))
		if b.Broken < lines-1 {
			t.Errorf("%q: %d broken, want %d", line, b.Broken, lines)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte(`{"filename": "f", "service": "c", "alerts":[{"a":1}` + "\n" + `, {"a":2}]}`))
	f.Add([]byte(`[{"a":1},]}`))
	f.Add([]byte("{\"a\":1}\n\"\\"))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := batch.Split(body)
		broken := 0
		for _, e := range b.Events {
			if len(e) == 0 {
				t.Fatal("empty piece")
			}
			if !json.Valid(e) {
				broken++
			}
		}
		if broken < b.Broken { // base64 may hide more of them
			t.Fatalf("%d pieces are not JSON, %d counted", broken, b.Broken)
		}
		var list []json.RawMessage
		if json.Unmarshal(body, &list) == nil && len(list) != len(b.Events) {
			t.Fatalf("a valid list of %d came apart into %d", len(list), len(b.Events))
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	body := []byte("[" + strings.Repeat(`{"type":"ingress.event.netconn","process_path":"c:\\windows\\system32\\svchost.exe","sensor_id":42},`, 999) + `{}]`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if n := len(batch.Split(body).Events); n != 1000 {
			b.Fatal(n)
		}
	}
}
