package expression_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/expression"
)

// FuzzPlain: what is plain stays as it is, whichever way numbers were decoded, and a
// value that conforms to a type conforms unchanged.
func FuzzPlain(f *testing.F) {
	for _, text := range []string{`1e3`, `[1.0, {"a": 9007199254740993, "b": 1e400}]`, `123456789012345678901234567890`, `-0.0`, `9007199254740993.0`, `2.5`, `"x"`, `[null, true]`} {
		f.Add(text)
	}
	types := []*expression.Type{expression.AnyType, expression.IntType, expression.FloatType, expression.DurationType, expression.TimeType, expression.ListOf(expression.IntType), expression.ListOf(expression.AnyType)}
	f.Fuzz(func(t *testing.T, text string) {
		for _, exact := range []bool{true, false} {
			d := json.NewDecoder(strings.NewReader(text))
			if exact {
				d.UseNumber()
			}
			var v any
			if d.Decode(&v) != nil {
				continue
			}
			once := expression.Plain(v)
			if twice := expression.Plain(once); !reflect.DeepEqual(once, twice) {
				t.Errorf("%s is %#v, then %#v", text, once, twice)
			}
			for _, typ := range types {
				once := typ.Conform(v)
				if twice := typ.Conform(once); !reflect.DeepEqual(once, twice) {
					t.Errorf("%s as %s is %#v, then %#v", text, typ, once, twice)
				}
			}
		}
	})
}

// TestNumbersThatDoNotFit: a number that a type cannot hold is its zero value, never
// another number.
func TestNumbersThatDoNotFit(t *testing.T) {
	tests := []struct {
		typ      *expression.Type
		in, want any
	}{
		{expression.IntType, json.Number("9007199254740993"), 9007199254740993},
		{expression.IntType, json.Number("1e3"), 1000},
		{expression.IntType, json.Number("2.5"), 2},
		{expression.IntType, 1e300, 0},
		{expression.IntType, math.Inf(-1), 0},
		{expression.IntType, math.NaN(), 0},
		{expression.DurationType, 1e300, time.Duration(0)},
		{expression.DurationType, math.NaN(), time.Duration(0)},
		{expression.AnyType, json.Number("1e3"), 1000},
		{expression.AnyType, json.Number("1e400"), json.Number("1e400")},
		{expression.AnyType, json.Number("123456789012345678901234567890"), json.Number("123456789012345678901234567890")},
	}
	for _, tt := range tests {
		if got := tt.typ.Conform(tt.in); got != tt.want {
			t.Errorf("%v as %s is %#v, want %#v", tt.in, tt.typ, got, tt.want)
		}
	}
}
