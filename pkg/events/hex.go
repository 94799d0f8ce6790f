package events

import "encoding/binary"

func isLowerHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

// lowerHex is a word of eight hex digits in lower case; ok is false when they are
// something else.
func lowerHex(w uint64) (low uint64, ok bool) {
	const lower = ones * 0x20 // a digit has the bit, too
	low = w | lower
	// Below 0x80 the additions do not carry: the top bit is set for bytes at or above the bound.
	digit := (w + ones*(0x80-'0')) &^ (w + ones*(0x7f-'9'))
	letter := (low + ones*(0x80-'a')) &^ (low + ones*(0x7f-'f'))
	return low, w&tops == 0 && (digit|letter)&tops == tops
}

// hash is an MD5 or SHA-256 in lower-case hex, "" when s is neither or all
// zeros: what is not a hash must not be banned or searched for as one.
func (x *reading) hash(s string) string {
	if len(s) != 32 && len(s) != 64 {
		return ""
	}
	var changed, value uint64
	for i := 0; i < len(s); i += 8 {
		w := load64(s[i:])
		low, ok := lowerHex(w)
		if !ok {
			return ""
		}
		changed |= w ^ low
		value |= w ^ ones*'0'
	}
	if value == 0 {
		return ""
	}
	if changed == 0 {
		return s
	}
	b := x.pool.room(len(s))
	for i := 0; i < len(s); i += 8 {
		low, _ := lowerHex(load64(s[i:]))
		b = binary.LittleEndian.AppendUint64(b, low)
	}
	return x.pool.take(b)
}
