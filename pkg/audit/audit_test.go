package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

func fill(t testing.TB, s Store, key []byte, entries int) {
	t.Helper()
	l := New(Config{Store: s, Key: key, Now: func() time.Time { return epoch }})
	for i := range entries {
		err := l.Append(t.Context(), Entry{Kind: "verdict", By: "guard", Job: fmt.Sprint("j", i), Action: "isolate", What: "deny", Reason: "protected", Sensor: "42", Data: json.RawMessage(`{"pid":4711}`)})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// changed is a log whose blocks somebody changed.
type changed [][]byte

func (c changed) Read(_ context.Context, visit func(uint64, []byte) error) error {
	for i, b := range c {
		if err := visit(uint64(i+1), b); err != nil {
			return err
		}
	}
	return nil
}

// TestEveryChangedByteIsFound changes each byte of a log in every way that one
// bit can, and to what it might be taken for.
func TestEveryChangedByteIsFound(t *testing.T) {
	for _, key := range [][]byte{nil, []byte("key")} {
		m := &Memory{}
		fill(t, m, key, 4)
		if r, err := Verify(t.Context(), m, key); err != nil || r.Entries != 4 {
			t.Fatalf("untouched: %+v, %v", r, err)
		}
		tried := 0
		for block := range m.blocks {
			for i := range m.blocks[block] {
				for bit := range 8 {
					c := changed{}
					for _, b := range m.blocks {
						c = append(c, bytes.Clone(b))
					}
					c[block][i] ^= 1 << bit
					var d *Damage
					r, err := Verify(t.Context(), c, key)
					passed := err == nil && block == len(c)-1 && len(r.Foreign) == 1 // named as foreign; that it was ours only noted heads tell
					if !errors.As(err, &d) && !passed {
						t.Fatalf("block %d, byte %d, bit %d: %v\n%s", block, i, bit, err, c[block])
					}
					tried++
				}
			}
		}
		t.Logf("%d changes of one bit, all found", tried)
	}
}

func TestGapsAreFound(t *testing.T) {
	m := &Memory{}
	fill(t, m, nil, 5)
	whole, err := Verify(t.Context(), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := m.blocks
	other := &Memory{}
	fill(t, other, []byte("another key"), 5)
	cases := map[string]changed{
		"first gone":    {b[1], b[2], b[3], b[4]},
		"one gone":      {b[0], b[1], b[3], b[4]},
		"twice":         {b[0], b[1], b[1], b[2], b[3], b[4]},
		"swapped":       {b[0], b[2], b[1], b[3], b[4]},
		"end gone":      {b[0], b[1], b[2], b[3]},
		"everything":    {},
		"from another":  {b[0], b[1], other.blocks[2], b[3], b[4]},
		"cut in a line": {b[0], b[1], b[2], b[3], b[4][:len(b[4])-1]},
		"empty line":    {b[0], b[1], append(bytes.Clone(b[2]), '\n'), b[3], b[4]},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var d *Damage
			if _, err := Verify(t.Context(), c, nil, whole.Head); !errors.As(err, &d) {
				t.Errorf("not found: %v", err)
			}
		})
	}
}

// TestAKeyedLogCannotBeRewritten: who can compute all hashes anew, without the
// key, is found out.
func TestAKeyedLogCannotBeRewritten(t *testing.T) {
	forged := &Memory{}
	fill(t, forged, nil, 3)
	var d *Damage
	if _, err := Verify(t.Context(), forged, []byte("key")); !errors.As(err, &d) {
		t.Errorf("a log hashed without the key: %v", err)
	}
}

func TestReplicasShareALog(t *testing.T) {
	m := &Memory{}
	var all sync.WaitGroup
	for replica := range 3 {
		l := New(Config{Store: m})
		for worker := range 5 {
			all.Go(func() {
				for i := range 10 {
					if err := l.Append(t.Context(), Entry{Kind: "step", Job: fmt.Sprint(replica, worker, i)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	seen := map[string]bool{}
	err := Read(t.Context(), m, nil, func(e Entry) error { seen[e.Job] = true; return nil })
	if r, verr := Verify(t.Context(), m, nil); err != nil || verr != nil || r.Entries != 150 || len(seen) != 150 {
		t.Errorf("%+v, %d different, %v, %v", r, len(seen), err, verr)
	}
}

// lossy is a store whose answers get lost after it has done its work.
type lossy struct {
	Memory
	n int
}

func (l *lossy) Append(ctx context.Context, block []byte, after uint64) error {
	if err := l.Memory.Append(ctx, block, after); err != nil {
		return err
	}
	if l.n++; l.n%2 == 1 {
		return errors.New("time-out")
	}
	return nil
}

func TestALostAnswerDoublesNothing(t *testing.T) {
	s := &lossy{}
	fill(t, s, nil, 6)
	if r, err := Verify(t.Context(), s, nil); err != nil || r.Entries != 6 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestNotesThatContradictEachOther: what was noted of one entry before the log was
// exchanged is not hidden by what was noted of it afterwards.
func TestNotesThatContradictEachOther(t *testing.T) {
	before, after := &Memory{}, &Memory{}
	fill(t, before, nil, 2)
	fill(t, after, []byte("another key"), 3)
	old, err := Verify(t.Context(), before, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := Head{}
	if err := Read(t.Context(), after, []byte("another key"), func(e Entry) error {
		if e.Seq == 3 {
			now = Head{Seq: 2, Hash: e.Prev}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, noted := range [][]Head{{old.Head, now}, {now, old.Head}} {
		var d *Damage
		if _, err := Verify(t.Context(), after, []byte("another key"), noted...); !errors.As(err, &d) {
			t.Errorf("noted %v: %v", noted, err)
		}
	}
}

// TestTheEndIsToldBeforeAnybodyReliesOnIt: also where the store's answer is lost.
func TestTheEndIsToldBeforeAnybodyReliesOnIt(t *testing.T) {
	s, end := &lossy{}, Head{}
	l := New(Config{Store: s, Reached: func(h Head) { end = h }})
	for n := range 4 {
		if err := l.Append(t.Context(), Entry{Kind: "step"}); err != nil {
			t.Fatal(err)
		}
		if r, err := Verify(t.Context(), s, nil, end); err != nil || end.Seq != uint64(n+1) || r.Head != end {
			t.Errorf("after entry %d the end is %v, told was %v; %v", n+1, r.Head, end, err)
		}
	}
}

func TestLargeDataIsNamedByItsDigest(t *testing.T) {
	m := &Memory{}
	l := New(Config{Store: m})
	if err := l.Append(t.Context(), Entry{Kind: "x", Text: strings.Repeat("ü", 9000), Data: json.RawMessage(`"` + strings.Repeat("x", maxData) + `"`)}); err != nil {
		t.Fatal(err)
	}
	err := Read(t.Context(), m, nil, func(e Entry) error {
		if !strings.Contains(string(e.Data), `"left_out_bytes":65538`) || len(e.Text) > maxText+4 {
			t.Errorf("data = %.100s, %d bytes of text", e.Data, len(e.Text))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit.log")
	f, err := OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(name); err == nil {
		t.Error("the file was opened twice")
	}
	fill(t, f, nil, 3)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	torn, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := torn.WriteString("0123 {\"seq\":4"); err != nil {
		t.Fatal(err)
	}
	torn.Close()
	if f, err = OpenFile(name); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fill(t, f, nil, 2)
	if r, err := Verify(t.Context(), f, nil); err != nil || r.Entries != 5 {
		t.Errorf("after a torn write: %+v, %v", r, err)
	}
	if r, err := Verify(t.Context(), Lines(name), nil); err != nil || r.Entries != 5 {
		t.Errorf("read beside the writer: %+v, %v", r, err)
	}
}

func TestStream(t *testing.T) {
	b := bustest.Start(t)
	s := &Stream{JetStream: b.JetStream(), Name: bus.StreamAudit, Subject: "edr.audit"}
	if r, err := Verify(t.Context(), s, nil); err != nil || r.Entries != 0 {
		t.Fatalf("empty: %+v, %v", r, err)
	}
	var replicas sync.WaitGroup
	for range 2 {
		replicas.Go(func() { fill(t, s, nil, 20) })
	}
	replicas.Wait()
	r, err := Verify(t.Context(), s, nil)
	if err != nil || r.Entries != 40 {
		t.Fatalf("%+v, %v", r, err)
	}
	// What somebody publishes past the log is named and passed, and the log goes on.
	if _, err := b.JetStream().Publish(t.Context(), "edr.audit", []byte("nothing happened\n")); err != nil {
		t.Fatal(err)
	}
	if r, err = Verify(t.Context(), s, nil); err != nil || r.Entries != 40 || len(r.Foreign) != 1 {
		t.Errorf("a foreign block: %+v, %v", r, err)
	}
	var passed Report
	if err := New(Config{Store: s, Passed: func(r Report) { passed = r }}).Append(t.Context(), Entry{Kind: "x"}); err != nil || len(passed.Foreign) != 1 {
		t.Fatalf("the log does not go on: %v, %+v", err, passed)
	}
	if r, err = Verify(t.Context(), s, nil, Head{Seq: 40, Hash: passed.Head.Hash}); err != nil || r.Entries != 42 {
		t.Errorf("behind the foreign block: %+v, %v; want entry 41, which names it, and 42", r, err)
	}
}

// TestALogOfWhichNothingIsLeftIsNotContinued, by a writer that knows it and by one
// that does not.
func TestALogOfWhichNothingIsLeftIsNotContinued(t *testing.T) {
	js := bustest.Start(t).JetStream()
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "LOST", Subjects: []string{"lost"}})
	if err != nil {
		t.Fatal(err)
	}
	s := &Stream{JetStream: js, Name: "LOST", Subject: "lost"}
	fill(t, s, nil, 3)
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Stream{s, {JetStream: js, Name: "LOST", Subject: "lost"}} {
		var d *Damage
		if err := New(Config{Store: s}).Append(t.Context(), Entry{Kind: "x"}); !errors.As(err, &d) || d.Position != 3 {
			t.Errorf("an entry is taken, %v", err)
		}
	}
}

func TestEntryForPeople(t *testing.T) {
	e := Entry{Seq: 7, Time: epoch, Kind: "verdict", What: "deny", Action: "isolate", Reason: "protected", Server: "hq", Sensor: "42", Job: "j", Rule: "r", Text: "c:\\a\x1b[2J\n\u202eb"}
	want := `     7 2026-01-05 09:00:00.000 verdict  deny isolate reason=protected endpoint=hq/42 job=j rule=r: c:\a\u001b[2J\u000a\u202eb`
	if got := e.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for want, e := range map[string]Entry{
		"endpoint=42 ": {Sensor: "42", By: "x"}, // of an older version
		"verdict  by=": {Server: "hq", By: "x"}, // about no endpoint
	} {
		if e.Kind = "verdict"; !strings.Contains(e.String(), want) {
			t.Errorf("%s: no %q", e, want)
		}
	}
}

func Example() {
	ctx := context.Background()
	store := &Memory{}
	log := New(Config{Store: store, Now: func() time.Time { return epoch }})
	if err := log.Append(ctx, Entry{Kind: "switch", What: "stop", By: "ann", Text: "looks wrong"}); err != nil {
		fmt.Println(err)
	}
	report, err := Verify(ctx, store, nil)
	fmt.Println(report.Entries, err)

	store.blocks[0][80] ^= 1
	_, err = Verify(ctx, store, nil)
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// audit log is damaged after entry 0, in block 1: no block fits the key: is it the one that the log was written with?
}

// TestALogGetsAKey: the entries of before stay readable, and what is written without the
// key afterwards is foreign, however well it is chained.
func TestALogGetsAKey(t *testing.T) {
	key := []byte("a key that nobody else has")
	s := new(Memory)
	fill(t, s, nil, 3)
	before, err := Verify(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := New(Config{Store: s, Key: key}).Append(t.Context(), Entry{Kind: "x"}); err == nil {
		t.Error("a log without the key of which nothing was noted is continued: somebody may have exchanged it")
	}
	noted := func() ([]Head, error) { return []Head{before.Head}, nil }
	for range 2 {
		if err := New(Config{Store: s, Key: key, Noted: noted}).Append(t.Context(), Entry{Kind: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Verify(t.Context(), s, key)
	if err != nil || r.Entries != 5 || len(r.Foreign) != 0 {
		t.Fatalf("with a key from entry 4 on: %+v, %v", r, err)
	}
	forged, _, err := Entry{Seq: 6, Prev: r.Head.Hash, Kind: "x"}.line(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, last, err := s.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), append(forged, '\n'), last); err != nil {
		t.Fatal(err)
	}
	fill(t, s, key, 1)
	if r, err = Verify(t.Context(), s, key); err != nil || r.Entries != 7 || len(r.Foreign) != 1 {
		t.Errorf("with an entry without the key: %+v, %v; want one foreign block, entry 6 naming it, and 7", r, err)
	}
	if _, err := Verify(t.Context(), s, []byte("another key, which is wrong")); err == nil {
		t.Error("a log is good with a wrong key")
	}
}

// TestALostEndIsNotTakenForAForeignBlock: what was noted must be there for a log to go on.
func TestALostEndIsNotTakenForAForeignBlock(t *testing.T) {
	s := new(Memory)
	var end Head
	l := New(Config{Store: s, Reached: func(h Head) { end = h }})
	if err := l.Append(t.Context(), Entry{Kind: "x"}); err != nil {
		t.Fatal(err)
	}
	other := new(Memory)
	if err := other.Append(t.Context(), []byte("rubbish\n"), 0); err != nil {
		t.Fatal(err)
	}
	err := New(Config{Store: other, Noted: func() ([]Head, error) { return []Head{end}, nil }}).Append(t.Context(), Entry{Kind: "x"})
	var d *Damage
	if !errors.As(err, &d) {
		t.Errorf("a log whose end is gone is continued: %v", err)
	}
}
