package audit

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestTheHashCoversEveryField: a log that is written today is verified years later, and by
// other programs; each field of an entry is bound by its hash.
func TestTheHashCoversEveryField(t *testing.T) {
	t.Parallel()
	whole := Entry{
		Seq: 7, Prev: strings.Repeat("ab", 32), Time: epoch, Kind: "step", By: "ann", Job: "j1", Step: "s1", Rule: "r1", Digest: "d1", Server: "hq", Sensor: "42",
		Action: "isolate", What: "allow", Reason: "none", Text: "for people", Data: json.RawMessage(`{"pid":4711}`),
	}
	for i := range reflect.TypeFor[Entry]().NumField() {
		if reflect.ValueOf(whole).Field(i).IsZero() {
			t.Errorf("field %s is not in the golden entry", reflect.TypeFor[Entry]().Field(i).Name)
		}
	}
	for key, want := range map[string]string{
		"":    "1d885e1801f6326a04f308de71005be64cce93b66bd1ba1762ec30c9253e412e",
		"key": "7b47d6da8b9e952bd936a545ac17dfc18b04009346d42333356e1b4610dfcc67",
	} {
		line, hash, err := whole.line([]byte(key))
		if err != nil || hash != want || !strings.HasPrefix(string(line), want+" {") {
			t.Errorf("with the key %q: hash %s, %v; want %s for %s", key, hash, err, want, line)
		}
		for i := range reflect.TypeFor[Entry]().NumField() {
			other := whole
			reflect.ValueOf(&other).Elem().Field(i).SetZero()
			if _, changed, err := other.line([]byte(key)); err != nil || changed == hash {
				t.Errorf("without its %s an entry has the same hash, %v", reflect.TypeFor[Entry]().Field(i).Name, err)
			}
		}
	}
}
