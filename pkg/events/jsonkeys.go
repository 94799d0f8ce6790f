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
// hash table, at most a quarter full, over two words of each name.
type dictionary struct {
	slots []slot
	shift uint
}

// A slot is a name's two words; of one longer than 15 bytes they are not all of it.
type slot struct {
	low, high uint64
	key       uint16 // plus 1; 0 where the slot is free
}

// newDictionary has the given keys.
func newDictionary(wanted []key) *dictionary {
	width := bits.Len(uint(max(16, 4*len(wanted)) - 1))
	d := &dictionary{slots: make([]slot, 1<<width), shift: uint(64 - width)}
	for _, k := range wanted {
		low, high := wordsOf(knownKeys.names[k])
		i := d.place(low, high)
		for d.slots[i].key != 0 {
			i = d.after(i)
		}
		d.slots[i] = slot{low, high, uint16(k) + 1}
	}
	return d
}

// wordsOf are a short name's bytes with zeros behind them, and the first and the
// last eight bytes of any other.
func wordsOf(name string) (low, high uint64) {
	if n := len(name); n >= 16 {
		return load64(name), load64(name[n-8:])
	}
	var padded [16]byte
	copy(padded[:], name)
	return load64(string(padded[:8])), load64(string(padded[8:]))
}

func (d *dictionary) place(low, high uint64) int {
	const odd = 0x9E3779B97F4A7C15
	return int((low ^ bits.RotateLeft64(high, 29)) * odd >> d.shift)
}

// after is the place to look at next.
func (d *dictionary) after(i int) int { return (i + 1) & (len(d.slots) - 1) }

// short finds a name of up to 15 bytes, none of them zero, by its words.
func (d *dictionary) short(low, high uint64) (key, bool) {
	for i := d.place(low, high); ; i = d.after(i) {
		if s := &d.slots[i]; s.low == low && s.high == high || s.key == 0 {
			return key(s.key) - 1, s.key != 0
		}
	}
}

// find finds any name.
func (d *dictionary) find(name string) (key, bool) {
	for i := d.place(wordsOf(name)); d.slots[i].key != 0; i = d.after(i) {
		if k := key(d.slots[i].key - 1); knownKeys.names[k] == name {
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
	l := lexer{s: s}
	l.object(at, v)
	return l.err
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

// place is where the value of a key goes.
func (v *values) place(k key) *token {
	t := &v.tokens[k]
	*t = token{seen: v.round}
	return t
}

// get is the value of k, of kind absent when the object has none.
func (v *values) get(k key) token {
	if int(k) < len(v.tokens) && v.tokens[k].seen == v.round {
		return v.tokens[k]
	}
	return token{}
}
