package rules

import (
	"slices"
	"strings"
	"testing"

	"edrpipe/internal/workload"
	"edrpipe/pkg/events"
)

// remembered is a memory of binaries in a map.
type remembered map[string]events.ImageInfo

func (r remembered) Fill(e *events.Event) {
	if image, ok := r[e.Process.MD5]; ok {
		e.Image = image
	}
}

func (r remembered) Learn(e *events.Event) {
	if image, ok := events.ImageOf(e); ok {
		r[e.Binary.MD5] = image
	}
}

// TestTheImageOfAnEvent: a rule on image metadata matches by what is remembered of the
// hash, with what the index refuses and without; before, it is unclear.
func TestTheImageOfAnEvent(t *testing.T) {
	t.Parallel()
	const md5 = "0f0102030405060708090a0b0c0d0e0f"
	set := setOf(t, []workload.Rule{
		{ID: "named", On: "process_start", When: `ieq(image.original_name, "PACK.EXE")`},
		{ID: "of-another", On: "process_start", When: `image.original_name == "other.exe"`},
		{ID: "unsigned", On: "process_start", When: `!image.signed`},
		{ID: "unknown", On: "process_start", When: `!known(image.company)`},
	})
	images := remembered{}
	m := NewMatcher(set, &events.Decoder{LazyRaw: true}, images)
	find := func(body string) (matched, unclear []string) {
		found := m.Message(&events.Message{Body: []byte(body), ContentType: "application/json"})
		for _, x := range found.Matches {
			matched = append(matched, x.Rule.ID)
		}
		for _, x := range found.Unclear {
			unclear = append(unclear, x.Rule.ID)
			if x.Why() != "cannot tell: image is not known" {
				t.Errorf("%s: %s", x.Rule.ID, x.Why())
			}
		}
		return matched, unclear
	}
	start := `{"type":"ingress.event.procstart","sensor_id":1,"timestamp":1767600000,"pid":7,"path":"c:\\a.exe","md5":"` + strings.ToUpper(md5) + `"}`
	if matched, unclear := find(start); !slices.Equal(matched, []string{"unknown"}) || !slices.Equal(unclear, []string{"named", "of-another", "unsigned"}) {
		t.Errorf("before the binary is known: %v match, %v are unclear", matched, unclear)
	}
	find(`{"type":"ingress.event.module","md5":"` + strings.ToUpper(md5) + `","utf8_original_file_name":"pack.exe","digsig":{"result":"Unsigned"}}`)
	if matched, unclear := find(start); !slices.Equal(matched, []string{"named", "unsigned"}) || len(unclear) > 0 {
		t.Errorf("when the binary is known: %v match, %v are unclear", matched, unclear)
	}
}

func TestImageInRuleTests(t *testing.T) {
	t.Parallel()
	set := loadText(t, `
rules:
  - id: renamed
    on: process_start
    when: ieq(image.original_name, "pack.exe")
    steps: [ { uses: list_processes } ]
    tests:
      - name: by its original name
        events: [ { type: ingress.event.procstart, sensor: { id: 1 }, process: { pid: 7, path: 'c:\a.exe' }, image: { original_name: PACK.EXE } } ]
        expect: [ { run: list_processes } ]
      - name: known and empty
        events: [ { type: ingress.event.procstart, sensor: { id: 1 }, process: { pid: 7 }, image: { known: true } } ]
        expect: [ { not: list_processes } ]
      - name: not known
        events: [ { type: ingress.event.procstart, sensor: { id: 1 }, process: { pid: 7 } } ]
        outcome: none
`)
	for _, test := range set.Source().Tests {
		if r := test.Run(t.Context(), set); !r.Passed() {
			t.Errorf("%s: %v %v", test.Name, r.Failures, r.Problems)
		}
	}
	if n := len(set.Source().Tests); n != 3 {
		t.Errorf("%d tests ran", n)
	}
}
