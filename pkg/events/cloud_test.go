package events

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/fixtures"
)

// cloudExpectation is a line of shared/data/cloud/cloud-expect.jsonl.
type cloudExpectation struct {
	File   string         `json:"file"`
	Line   int            `json:"line"`
	Expect map[string]any `json:"expect"`
}

// TestCloudSamples compares decoded samples with what a correct ingester makes of
// them.
func TestCloudSamples(t *testing.T) {
	t.Parallel()
	fixtures.Each(t, func(t *testing.T, dir string, _ bool) {
		checkCloudSamples(t, filepath.Join(dir, "cloud"))
	})
}

func checkCloudSamples(t *testing.T, dir string) {
	f, err := os.Open(filepath.Join(dir, "cloud-expect.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var x cloudExpectation
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprint(x.File, ":", x.Line), func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join(dir, x.File))
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(x.File, ".jsonl") {
				body = []byte(strings.Split(string(body), "\n")[x.Line-1])
			}
			events, rejects := (&Decoder{}).Decode(&Message{Body: body})
			if len(events) != 1 || len(rejects) != 0 {
				t.Fatalf("%d events, rejects %v", len(events), rejects)
			}
			checkExpected(t, x.Expect, asMap(t, events[0]))
		})
	}
}

func asMap(t testing.TB, e *Event) map[string]any {
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func checkExpected(t *testing.T, want, got map[string]any) {
	t.Helper()
	fields := map[string]any{}
	for name, v := range want {
		switch name {
		case "typed":
			for path, v := range v.(map[string]any) {
				fields[path] = v
			}
		case "type", "kind", "server", "time", "flaws":
			fields["event."+name] = v
		default:
			prefix := name
			if name == "parent" {
				prefix = "process.parent"
			}
			for field, v := range v.(map[string]any) {
				fields[prefix+"."+field] = v
			}
		}
	}
	for path, want := range fields {
		if have := at(got, path); !same(path, want, have) {
			t.Errorf("%s = %v, want %v", path, have, want)
		}
	}
}

func at(m map[string]any, path string) any {
	var v any = m
	for part := range strings.SplitSeq(path, ".") {
		inner, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = inner[part]
	}
	return v
}

func same(path string, want, have any) bool {
	if want == nil || want == "" || want == false || want == 0.0 || have == nil {
		return isNothing(want) && isNothing(have)
	}
	if path == "sensor.id" {
		if n, ok := want.(float64); ok {
			want = fmt.Sprintf("%.0f", n)
		}
		return want == have
	}
	if strings.HasSuffix(path, "time") || path == "process.start" || path == "event.received" {
		w, err1 := time.Parse(time.RFC3339, fmt.Sprint(want))
		h, err2 := time.Parse(time.RFC3339, fmt.Sprint(have))
		return err1 == nil && err2 == nil && w.Truncate(time.Millisecond).Equal(h.Truncate(time.Millisecond))
	}
	if strings.HasSuffix(path, "path") {
		return strings.EqualFold(fmt.Sprint(want), fmt.Sprint(have))
	}
	return reflect.DeepEqual(want, have)
}

// isNothing reports whether a field is absent or has its zero value.
func isNothing(v any) bool {
	if list, ok := v.([]any); ok {
		return len(list) == 0
	}
	return v == nil || v == "" || v == false || v == 0.0
}

// TestAlertCopiesAreAboutOneAlert: the same key makes the same subject, whatever else
// changed; another server's alert of the same id is another one.
func TestAlertCopiesAreAboutOneAlert(t *testing.T) {
	t.Parallel()
	const copies = `{"org_key":"ORG1","id":"a","type":"WATCHLIST","is_updated":false,"workflow":{"status":"OPEN"}}
{"org_key":"ORG1","id":"a","type":"WATCHLIST","is_updated":"true","severity":9,"workflow":{"status":"CLOSED","changed_by":"null"}}
{"org_key":"ORG2","id":"a","type":"WATCHLIST","is_updated":false,"workflow":{"status":"OPEN"}}`
	events, rejects := (&Decoder{}).Decode(&Message{Body: []byte(copies)})
	if len(events) != 3 || len(rejects) != 0 {
		t.Fatalf("%d events, %v", len(events), rejects)
	}
	a, b, c := events[0], events[1], events[2]
	if a.Subject() != b.Subject() || a.Subject() == c.Subject() || a.Event.ID == b.Event.ID {
		t.Errorf("subjects %q, %q, %q", a.Subject(), b.Subject(), c.Subject())
	}
	if !b.Alert.Updated || !b.Alert.Closed() || a.Alert.Closed() || b.Alert.ChangedBy != "" {
		t.Errorf("alerts %+v, %+v", a.Alert, b.Alert)
	}
}
