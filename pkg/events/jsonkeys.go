package events

import "math/bits"

// A key is a JSON key that some decoding table reads, by number.
type key uint16

// keyNames numbers the keys. Tables fill it while the package's variables are
// set up; afterwards it is only read.
type keyNames struct {
	number map[string]key
	names  []string
}

var knownKeys = keyNames{number: map[string]key{}}

// keyOf gives a key's number, a new one when the name is new.
func keyOf(name string) key {
	if k, ok := knownKeys.number[name]; ok {
		return k
	}
	k := key(len(knownKeys.names))
	knownKeys.number[name] = k
	knownKeys.names = append(knownKeys.names, name)
	return k
}

func keysOf(names ...string) []key {
	ks := make([]key, len(names))
	for i, n := range names {
		ks[i] = keyOf(n)
	}
	return ks
}

// A dictionary finds the keys of a document that are wanted: an open-addressed
// hash table, at most a quarter full, over the first and last eight bytes.
type dictionary struct {
	slots  []uint16 // key + 1, or 0
	shift  uint
	filter [4]uint64 // of lengths and first bytes: refuses most keys that nobody wants
}

// newDictionary has the given keys, or all when given none.
func newDictionary(wanted []key) *dictionary {
	size := max(16, 4*len(wanted))
	width := bits.Len(uint(size - 1))
	d := &dictionary{slots: make([]uint16, 1<<width), shift: uint(64 - width)}
	for _, k := range wanted {
		i := d.hash(knownKeys.names[k])
		for d.slots[i] != 0 {
			if key(d.slots[i]-1) == k {
				break
			}
			i = (i + 1) & (len(d.slots) - 1)
		}
		d.slots[i] = uint16(k) + 1
		word, bit := filterPlace(knownKeys.names[k])
		d.filter[word] |= bit
	}
	return d
}

func (d *dictionary) hash(s string) int {
	var first, last uint64
	if n := len(s); n >= 8 {
		first, last = load64(s), load64(s[n-8:])
	} else {
		for i := range n {
			first = first<<8 | uint64(s[i])
		}
	}
	const odd = 0x9E3779B97F4A7C15
	return int((first ^ bits.RotateLeft64(last, 29) ^ uint64(len(s))) * odd >> d.shift)
}

// filterPlace is where a name, which is not empty, stands in the filter.
func filterPlace(s string) (word int, bit uint64) {
	h := uint8(len(s))*37 ^ s[0]
	return int(h >> 6), 1 << (h & 63)
}

func (d *dictionary) find(s string) (key, bool) {
	if s == "" {
		return 0, false
	}
	if word, bit := filterPlace(s); d.filter[word]&bit == 0 {
		return 0, false
	}
	for i := d.hash(s); d.slots[i] != 0; i = (i + 1) & (len(d.slots) - 1) {
		if k := key(d.slots[i] - 1); knownKeys.names[k] == s {
			return k, true
		}
	}
	return 0, false
}

// values are the tokens of one object, by key. It is used again for the next
// object without being cleared: a token counts only when it was seen in this one.
type values struct {
	s      string // the text that the tokens lie in
	dict   *dictionary
	tokens []token
	round  uint32

	// A hit's documents are read on the way: almost always there is one.
	docs     *values // takes the first document; nil where none are expected
	docCount int     // values in docs, objects or not
	firstDoc span    // empty when the first is no object
}

// read walks over the object at the start of s and notes its values.
func (v *values) read(s string) error { return v.readAt(s, 0) }

// readAt walks over the object at a place in s.
func (v *values) readAt(s string, at int) error {
	v.begin(s)
	l := lexer{s: s, i: at}
	if !l.object(v) {
		return l.err
	}
	return nil
}

func (v *values) begin(s string) {
	if len(v.tokens) < len(knownKeys.names) {
		v.tokens = make([]token, len(knownKeys.names))
	}
	v.s, v.docCount = s, 0
	if v.round++; v.round == 0 { // after 4 billion objects
		clear(v.tokens)
		v.round = 1
	}
}

// place is where the value of a key goes, nil when nobody wants it.
func (v *values) place(s string, name token) (*token, key) {
	text := s[name.start:name.end]
	if name.escaped {
		text = string(unescape(nil, text))
	}
	k, ok := v.dict.find(text)
	if !ok {
		return nil, 0
	}
	t := &v.tokens[k]
	*t = token{seen: v.round}
	return t, k
}

// get is the value of k, of kind absent when the object has none.
func (v *values) get(k key) token {
	if int(k) < len(v.tokens) && v.tokens[k].seen == v.round {
		return v.tokens[k]
	}
	return token{}
}
