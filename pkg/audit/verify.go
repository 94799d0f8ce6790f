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
// must contain.
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
	r.Entries, r.Head = v.head.Seq, v.head
	if err != nil {
		return r, err
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
	if !bytes.HasSuffix(block, []byte("\n")) {
		return v.damage("the block ends within an entry")
	}
	for line := range bytes.SplitSeq(block[:len(block)-1], []byte("\n")) {
		e, hash, err := parse(v.key, line)
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
