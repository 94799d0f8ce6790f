package audit

import (
	"bytes"
	"context"
	"fmt"
	"slices"
)

// Head names an entry: how far a log had come. Noted elsewhere it shows later
// that the log's end was not cut off.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// Report is the outcome of a verification.
type Report struct {
	Entries uint64 `json:"entries"`
	Head    Head   `json:"head"` // the last entry
	// Foreign are the positions of blocks that somebody else wrote. They are passed over,
	// and the log goes on behind them.
	Foreign []uint64 `json:"foreign,omitempty"`
}

// Damage is where a log was changed, or lacks something.
type Damage struct {
	Position uint64 // of the block in its store
	After    uint64 // the last entry that was good; 0: none
	Why      string
}

func (d *Damage) Error() string {
	return fmt.Sprintf("audit log is damaged after entry %d, in block %d: %s", d.After, d.Position, d.Why)
}

// Verify reads the whole log and compares every hash. The error is a *Damage
// when something was changed, put in or taken out. Noted are heads that the log
// must contain. With a key, a log of before it had one is good only if heads of it were
// noted.
func Verify(ctx context.Context, s Reader, key []byte, noted ...Head) (Report, error) {
	want := map[uint64][]string{} // of one entry more than one, where the log was another one in between
	for _, h := range noted {
		want[h.Seq] = append(want[h.Seq], h.Hash)
	}
	var r Report
	v := verifier{key: key}
	err := s.Read(ctx, func(position uint64, block []byte) error {
		return v.block(position, block, func(e Entry, hash string) error {
			if slices.ContainsFunc(want[e.Seq], func(noted string) bool { return noted != hash }) {
				return v.damage(fmt.Sprintf("entry %d is another one than was noted", e.Seq))
			}
			delete(want, e.Seq)
			return nil
		})
	})
	r.Entries, r.Head, r.Foreign = v.head.Seq, v.head, v.foreign
	if err == nil && v.head == (Head{}) && len(v.foreign) > 0 {
		err = v.damage("no block fits the key: is it the one that the log was written with?")
	}
	if err != nil {
		return r, err
	}
	if len(key) > 0 && !v.keyed && v.head.Seq > 0 && len(noted) == 0 {
		return r, v.damage("no entry is hashed with the key")
	}
	for seq := range want {
		return r, v.damage(fmt.Sprintf("entry %d was noted and is not there: the end is missing", seq))
	}
	return r, nil
}

// Read visits the entries of a log, having compared their hashes; a *Damage ends
// it.
func Read(ctx context.Context, s Reader, key []byte, visit func(Entry) error) error {
	v := verifier{key: key}
	return s.Read(ctx, func(position uint64, block []byte) error {
		return v.block(position, block, func(e Entry, _ string) error { return visit(e) })
	})
}

// verifier follows the chain.
type verifier struct {
	key      []byte
	position uint64
	head     Head
	keyed    bool     // an entry with the key was seen
	foreign  []uint64 // positions of blocks that somebody else wrote
}

func (v *verifier) damage(why string) error {
	return &Damage{Position: v.position, After: v.head.Seq, Why: why}
}

func (v *verifier) block(position uint64, block []byte, visit func(Entry, string) error) error {
	if position != v.position+1 {
		v.position++
		return v.damage(fmt.Sprintf("the block is missing, the next is %d", position))
	}
	v.position = position
	if v.isForeign(block) {
		v.foreign = append(v.foreign, position)
		return nil
	}
	if !bytes.HasSuffix(block, []byte("\n")) {
		return v.damage("the block ends within an entry")
	}
	for line := range bytes.SplitSeq(block[:len(block)-1], []byte("\n")) {
		e, hash, err := v.parse(line)
		switch {
		case err != nil:
			return v.damage(err.Error())
		case e.Seq != v.head.Seq+1:
			return v.damage(fmt.Sprintf("entry %d follows entry %d", e.Seq, v.head.Seq))
		case e.Prev != v.head.Hash:
			return v.damage(fmt.Sprintf("entry %d does not follow the entry before it", e.Seq))
		}
		if err := visit(e, hash); err != nil {
			return err
		}
		v.head = Head{Seq: e.Seq, Hash: hash}
	}
	return nil
}

// parse reads a line. Before the first entry that is hashed with the key those of a log
// from before it had one are read, too; the first with the key vouches for them.
func (v *verifier) parse(line []byte) (Entry, string, error) {
	e, hash, err := parse(v.key, line)
	if err == nil {
		v.keyed = len(v.key) > 0
	} else if len(v.key) > 0 && !v.keyed {
		if old, oldHash, oldErr := parse(nil, line); oldErr == nil {
			return old, oldHash, nil
		}
	}
	return e, hash, err
}

// isForeign reports whether a block is not of this log: none of its lines is an entry that
// fits the key. A block of ours that was changed leaves a gap, which is damage.
func (v *verifier) isForeign(block []byte) bool {
	keyed := v.keyed
	defer func() { v.keyed = keyed }()
	for line := range bytes.SplitSeq(bytes.TrimSuffix(block, []byte("\n")), []byte("\n")) {
		if _, _, err := v.parse(line); err == nil {
			return false
		}
	}
	return true
}
