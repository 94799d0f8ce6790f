package strictyaml_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"edrpipe/pkg/strictyaml"
)

// everything has a field of each kind that can be decoded.
type everything struct {
	Text  string                  `yaml:"text"`
	Word  string                  `yaml:"word" enum:"shadow,enforce"`
	Flag  bool                    `yaml:"flag"`
	Small int8                    `yaml:"small" min:"-5" max:"100"`
	Whole uint16                  `yaml:"whole" min:"2"`
	Part  float64                 `yaml:"part" min:"0.5" max:"1e3"`
	Span  time.Duration           `yaml:"span"`
	At    time.Time               `yaml:"at"`
	Addr  netip.Addr              `yaml:"addr"`
	Any   any                     `yaml:"any"`
	List  []int                   `yaml:"list" list:"one" max:"9"`
	Words []string                `yaml:"words"`
	Map   map[string]int          `yaml:"map" min:"1"`
	Deep  *struct{ A *inner }     `yaml:"-"`
	In    *inner                  `yaml:"in"`
	Order strictyaml.Ordered[int] `yaml:"order"`
	Chan  chan int                `yaml:"chan"`
}

type inner struct {
	A int `yaml:"a,required,alias=alpha,alias=first"`
	B int `yaml:"b"`
}

// TestOneValue decodes one key at a time: its value, or what is said of it.
func TestOneValue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want any    // of the field; nil: a problem
		say  string // of the problem, where it says what and what to do
	}{
		{`text: 0123`, "0123", ""},
		{`text: "true"`, "true", ""},
		{`text: ""`, "", ""},
		{`text: 2026-01-01`, "2026-01-01", ""},
		{`text: [a]`, nil, `"text" must be text, is a list`},
		{`text: { a: b }`, nil, `"text" must be text, is a mapping`},
		{`text:`, nil, `"text" has no value`},
		{`text: ~`, nil, "give it one, or leave the key out"},
		{`word: enforce`, "enforce", ""},
		{`word: Enforce`, nil, `did you mean "enforce"? (one of shadow, enforce)`},
		{`word: zzz`, nil, "one of shadow, enforce"},
		{`word: ""`, nil, `"word" cannot be ""`},
		{`flag: true`, true, ""},
		{`flag: false`, false, ""},
		{`flag: yes`, nil, "write true"},
		{`flag: OFF`, nil, "write false"},
		{`flag: True`, nil, "write true"},
		{`flag: "true"`, nil, `must be true or false, is "true"`},
		{`flag: 1`, nil, `must be true or false, is "1"`},
		{`small: 100`, int8(100), ""},
		{`small: 101`, nil, "at most 100"},
		{`small: -5`, int8(-5), ""},
		{`small: -6`, nil, "at least -5"},
		{`small: 128`, nil, "out of range: 128"},
		{`small: +7`, int8(7), ""},
		{`small: 010`, nil, "whole number"},
		{`small: 0x10`, nil, "whole number"},
		{`small: 1_0`, nil, "whole number"},
		{`small: 1.0`, nil, "whole number"},
		{`small: 1e1`, nil, "whole number"},
		{`small: "7"`, nil, "remove the quotes"},
		{`small: [7]`, nil, "must be a number, is a list"},
		{`whole: 65535`, uint16(65535), ""},
		{`whole: 65536`, nil, "out of range"},
		{`whole: -1`, nil, "out of range: -1"},
		{`whole: +3`, uint16(3), ""},
		{`whole: 1`, nil, "at least 2"},
		{`part: 0.5`, 0.5, ""},
		{`part: 0.49`, nil, "at least 0.5"},
		{`part: 1e3`, 1000.0, ""},
		{`part: 1.001e3`, nil, "at most 1e3"},
		{`part: .inf`, nil, "must be a number"},
		{`part: 1e999`, nil, "must be a number"},
		{`part: .5`, nil, "must be a number"},
		{`part: 5`, 5.0, ""},
		{`span: 1w2d3h4m5s6ms`, 9*24*time.Hour + 3*time.Hour + 4*time.Minute + 5*time.Second + 6*time.Millisecond, ""},
		{`span: 0.5h`, 30 * time.Minute, ""},
		{`span: 5`, nil, "write it like 90s"},
		{`span: -5s`, nil, "is not a duration"},
		{`span: 16000w`, nil, "too long"},
		{`span: [1s]`, nil, "a duration like 15m"},
		{`at: 2026-01-31T15:04:05.5+01:00`, time.Date(2026, 1, 31, 14, 4, 5, 5e8, time.UTC), ""},
		{`at: 2026-01-31`, nil, "write it like 2026-01-31T15:04:05Z"},
		{`at: {}`, nil, "a time like"},
		{`addr: 10.0.0.1`, netip.MustParseAddr("10.0.0.1"), ""},
		{`addr: 10.0.0`, nil, "10.0.0"},
		{`addr: [10.0.0.1]`, nil, "must be text, is a list"},
		{`list: 7`, []int{7}, ""},
		{`list: [7, 8]`, []int{7, 8}, ""},
		{`list: []`, []int{}, ""},
		{`list: [7, ~]`, nil, "an empty list item"},
		{`list: [7, 10]`, nil, `item 2 of "list" must be at most 9`},
		{`list: { a: 1 }`, nil, "begin each item with a dash"},
		{`words: a`, nil, "write [a]"},
		{`words: [a, [b]]`, nil, `item 2 of "words" must be text, is a list`},
		{`map: { a: 1, b: 2 }`, map[string]int{"a": 1, "b": 2}, ""},
		{`map: { a: 0 }`, nil, "at least 1"},
		{`map: [1]`, nil, "must be a mapping"},
		{`map: { a: 1, a: 2 }`, nil, `"a" is given twice`},
		{`map: { ? [a] : 1 }`, nil, "a key must be text, is a list"},
		{`map: { ~: 1 }`, nil, "a key must be text, is empty"},
		{`in: { a: 1 }`, &inner{A: 1}, ""},
		{`in: { alpha: 1 }`, &inner{A: 1}, ""},
		{`in: { first: 1, b: 2 }`, &inner{A: 1, B: 2}, ""},
		{`in: { a: 1, alpha: 2 }`, nil, `"a" and "alpha" mean the same`},
		{`in: { b: 2 }`, nil, `"in" needs "a"`},
		{`in: []`, nil, "must be a mapping"},
		{`in: { a: 1, c: 2 }`, nil, `unknown key "c" in "in"`},
		{`in: { a: 1, zzzzzz: 2 }`, nil, "known here: a, b"},
		{`order: { z: 1, a: 2 }`, strictyaml.Ordered[int]{{Key: "z", Value: 1}, {Key: "a", Value: 2}}, ""},
		{`order: [1]`, nil, "must be a mapping"},
		{`chan: 1`, nil, "cannot be given here"},
		{`any: 5`, 5, ""},
		{`any: 5.5`, 5.5, ""},
		{`any: [a, ~, true, { b: 1 }]`, []any{"a", nil, true, map[string]any{"b": 1}}, ""},
		{`any: 9223372036854775808`, nil, "is too large"},
		{`any: 0x1F`, 31, ""},
		{`any: 0xFFFFFFFFFFFFFFFFF`, "0xFFFFFFFFFFFFFFFFF", ""},
		{`any: 0o17`, nil, "put it in quotes if it is text"},
		{`any: .nan`, nil, "is not a decimal number"},
		{`any: 010`, nil, "is not a decimal number"},
		{`any: !!binary aGVsbG8=`, nil, "YAML takes !!binary for a tag"},
		{`any: !own x`, nil, "put a text that begins with ! in quotes"},
		{`text: !!str 5`, "5", ""},
		{`in: { <<: { a: 3 } }`, &inner{A: 3}, ""},
		{`in: { <<: [{ a: 3 }, { a: 4, b: 5 }] }`, &inner{A: 3, B: 5}, ""},
		{`in: { <<: [{ a: 3 }], a: 9 }`, &inner{A: 9}, ""},
		{`in: { a: 1, <<: 5 }`, nil, "<< takes a mapping or a list of mappings, not a number"},
		{`in: { a: 1, <<: [x] }`, nil, "not text"},
		{`nothing: 1`, nil, `unknown key "nothing" in the file`},
		{`x-own: { anything: [1] }`, reflect.Value{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			var got everything
			_, err := strictyaml.Decode("x.yaml", []byte(tt.text+"\n"), &got)
			if tt.want == nil {
				if err == nil || !strings.Contains(err.Error(), tt.say) || !strings.Contains(err.Error(), "x.yaml:1:") {
					t.Errorf("problem %v, want one with %q", err, tt.say)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			key, _, _ := strings.Cut(tt.text, ":")
			for _, f := range strictyaml.Fields(reflect.TypeFor[everything]()) {
				if f.Name != key {
					continue
				}
				v := reflect.ValueOf(got).FieldByName(strings.ToUpper(key[:1]) + key[1:]).Interface()
				if diff := cmp.Diff(tt.want, v, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestAllIsReportedAtOnce: a mistake hides no other, and what is right is filled in.
func TestAllIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	var got everything
	_, err := strictyaml.Decode("x.yaml", []byte("flag: yes\nsmall: 7\nwhole: x\nin: { b: x }\nlist: [1, x, 3]\n"), &got)
	var problems strictyaml.Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	var paths []string
	for _, p := range problems.Sort() {
		paths = append(paths, fmt.Sprint(p.Line, " ", p.Path))
	}
	if diff := cmp.Diff([]string{"1 flag", "3 whole", "4 in", "4 in.b", "5 list[1]"}, paths); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Small != 7 || !reflect.DeepEqual(got.List, []int{1, 0, 3}) {
		t.Errorf("filled in: %+v", got)
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	var got []string
	for _, f := range strictyaml.Fields(reflect.TypeFor[inner]()) {
		got = append(got, fmt.Sprint(f.Name, f.Aliases, f.Required, f.Type))
	}
	if diff := cmp.Diff([]string{"a[alpha first] true int", "b[] false int"}, got); diff != "" {
		t.Error(diff)
	}
}
