package events

import (
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"time"
)

// The conversions. Each accepts the forms that occur on the wire: numbers as strings,
// booleans as strings, "" for a missing value.
var (
	asText  = &conversion{reflect.String, setText}
	asWord  = &conversion{reflect.String, setWord}
	asHash  = &conversion{reflect.String, setHash}
	asIP    = &conversion{reflect.String, setIP}
	asInt   = &conversion{reflect.Int, setInt}
	asPID   = &conversion{reflect.Int, setPID}
	asPort  = &conversion{reflect.Int, setPort}
	asLong  = &conversion{reflect.Int64, setLong}
	asFloat = &conversion{reflect.Float64, setFloat}
	asFlag  = &conversion{reflect.Bool, setFlag}
	asTime  = &conversion{reflect.Struct, setTime}
	asList  = &conversion{reflect.Slice, setList}
)

// plainText is a string's text or a number's digits; "" for anything else.
func (x *reading) plainText(v *values, t token) string {
	switch t.kind {
	case stringToken:
		return x.pool.text(v.s, t)
	case numberToken:
		return v.s[t.start:t.end]
	}
	return ""
}

func setText(x *reading, f *field, v *values, t token) bool {
	s := x.plainText(v, t)
	*f.text(x.event) = s
	return s != ""
}

// setWord reads a word of a small vocabulary, in lower case.
func setWord(x *reading, f *field, v *values, t token) bool {
	s := x.pool.lower(x.plainText(v, t))
	*f.text(x.event) = s
	return s != ""
}

func setHash(x *reading, f *field, v *values, t token) bool {
	s := x.hash(x.plainText(v, t))
	if s == "" {
		return false
	}
	*f.text(x.event) = s
	return true
}

func setIP(x *reading, f *field, v *values, t token) bool {
	s := x.address(v, t)
	if s == "" {
		return false
	}
	*f.text(x.event) = s
	return true
}

// address is an IP address as text; the server writes some as the 32-bit
// number that their four bytes make, signed.
func (x *reading) address(v *values, t token) string {
	s := x.plainText(v, t)
	if t.kind == numberToken {
		n, ok := integerOf(s)
		if !ok || n < math.MinInt32 || n > math.MaxUint32 || n == 0 {
			return ""
		}
		u := uint32(n)
		return ipv4(byte(u>>24), byte(u>>16), byte(u>>8), byte(u))
	}
	if _, err := netip.ParseAddr(s); err != nil {
		return ""
	}
	return s
}

func ipv4(a, b, c, d byte) string { return netip.AddrFrom4([4]byte{a, b, c, d}).String() }

func setInt(x *reading, f *field, v *values, t token) bool {
	n, ok := integerOf(x.plainText(v, t))
	if ok {
		*f.integer(x.event) = int(n)
	}
	return ok
}

func setLong(x *reading, f *field, v *values, t token) bool {
	n, ok := integerOf(x.plainText(v, t))
	if ok {
		*f.long(x.event) = n
	}
	return ok
}

func setPID(x *reading, f *field, v *values, t token) bool {
	return setBounded(x, f, v, t, math.MaxUint32)
}

func setPort(x *reading, f *field, v *values, t token) bool {
	return setBounded(x, f, v, t, math.MaxUint16)
}

func setBounded(x *reading, f *field, v *values, t token, most int64) bool {
	n, ok := integerOf(x.plainText(v, t))
	if !ok || n < 1 || n > most {
		return false
	}
	*f.integer(x.event) = int(n)
	return true
}

func setFloat(x *reading, f *field, v *values, t token) bool {
	n, ok := floatOf(x.plainText(v, t))
	if ok {
		*f.float(x.event) = n
	}
	return ok
}

func setFlag(x *reading, f *field, v *values, t token) bool {
	*f.flag(x.event) = x.truth(v, t)
	return true
}

func (x *reading) truth(v *values, t token) bool {
	switch t.kind {
	case trueToken:
		return true
	case stringToken:
		switch x.pool.lower(x.pool.text(v.s, t)) {
		case "true", "1", "yes":
			return true
		}
	case numberToken:
		n, ok := integerOf(v.s[t.start:t.end])
		return ok && n != 0
	}
	return false
}

func setTime(x *reading, f *field, v *values, t token) bool {
	when, ok := x.time(v, t)
	if ok {
		*f.time(x.event) = when
	}
	return ok
}

// time parses a time. An implausible one (see believable) is left unknown.
func (x *reading) time(v *values, t token) (time.Time, bool) {
	s := x.plainText(v, t)
	if s == "" {
		return time.Time{}, false
	}
	when, ok := parseTime(s)
	if zero := ok && when.Unix() == 0 && when.Nanosecond() == 0; zero {
		return time.Time{}, false // 0 is how "unknown" is written
	}
	if !ok || !believable(when, x.now) {
		x.flaw(FlawTime)
		return time.Time{}, false
	}
	return when, true
}

// setList reads a list of text that may also be one string.
func setList(x *reading, f *field, v *values, t token) bool {
	list := x.list(v, t)
	*(*[]string)(f.ptr(x.event)) = list
	return len(list) > 0
}

func (x *reading) list(v *values, t token) []string {
	if t.kind != arrayToken {
		if s := x.plainText(v, t); s != "" {
			return []string{s}
		}
		return nil
	}
	var list []string
	for element := range elements(v.s[t.start:t.end]) {
		inner := values{s: v.s}
		element.start, element.end = element.start+t.start, element.end+t.start
		if s := x.plainText(&inner, element); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// integerOf reads a whole number, also one written as 3.0 or 1e3. It does not
// go through float64 when it need not: 64-bit times and ids lose digits there.
func integerOf(s string) (int64, bool) {
	if n, ok := shortInteger(s); ok {
		return n, true
	}
	if s == "" || s[0] > '9' {
		return 0, false // text: strconv would make an error of it, which costs
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, ok := floatOf(s)
	if !ok || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// shortInteger reads what almost every number is: up to 18 digits and a sign.
func shortInteger(s string) (int64, bool) {
	digits := s
	if len(s) > 0 && s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(digits) {
		c := digits[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	if len(digits) < len(s) {
		n = -n
	}
	return n, true
}

func floatOf(s string) (float64, bool) {
	if s == "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}
