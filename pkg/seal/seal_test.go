package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"testing"
)

func key(t testing.TB, secret string) Key {
	t.Helper()
	k, err := NewKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const (
	ours   = "0123456789abcdef0123456789abcdef"
	theirs = "fedcba9876543210fedcba9876543210"
)

func TestOnlyTheKeyAndThePlaceVerify(t *testing.T) {
	t.Parallel()
	k := key(t, ours)
	record := k.Seal("control", "guard.control", []byte(`{"stop":null}`))
	if data, why := k.Open("control", "guard.control", record); why != "" || string(data) != `{"stop":null}` {
		t.Fatalf("our own record: %q, %s", data, why)
	}
	for name, c := range map[string]struct {
		bucket, key string
		record      []byte
		why         string
	}{
		"another bucket":   {"jobs", "guard.control", record, "for this place"},
		"another key":      {"control", "guard.budget.a", record, "for this place"},
		"places that join": {"controlguard", ".control", record, "for this place"},
		"other data":       {"control", "guard.control", exchanged(record), "for this place"},
		"no seal":          {"control", "guard.control", []byte(`{"stop":null}`), "no seal"},
		"empty":            {"control", "guard.control", nil, "no seal"},
		"cut":              {"control", "guard.control", record[:dataAt-1], "no seal"},
		"cut in its data":  {"control", "guard.control", record[:len(record)-1], "damaged"},
		"longer":           {"control", "guard.control", append(bytes.Clone(record), ' '), "damaged"},
		"another's":        {"control", "guard.control", key(t, theirs).Seal("control", "guard.control", []byte(`{}`)), "this replica has"},
		"without a secret": {"control", "guard.control", Key{}.Seal("control", "guard.control", []byte(`{}`)), "this replica has"},
		"with our id":      {"control", "guard.control", forged(k), "was not made with the key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if data, why := k.Open(c.bucket, c.key, c.record); !strings.Contains(why, c.why) || data != nil {
				t.Errorf("opened as %q, %q; want %q", data, why, c.why)
			}
		})
	}
}

// exchanged is the record with other data, whose checksum fits.
func exchanged(record []byte) []byte {
	data := []byte(`{"stop":{}}`)
	other := bytes.Clone(record[:dataAt])
	copy(other[sumAt:], fmt.Sprintf("%08x", crc32.Checksum(data, castagnoli)))
	return append(other, data...)
}

// forged is a record with our key's name, made with another secret.
func forged(k Key) []byte {
	return Key{secret: []byte("a guess"), id: k.id}.Seal("control", "guard.control", []byte(`{}`))
}

func TestEveryBitCounts(t *testing.T) {
	t.Parallel()
	k := key(t, ours)
	record := k.Seal("jobs", "a", []byte("data"))
	for i := range record {
		for bit := range 8 {
			changed := bytes.Clone(record)
			changed[i] ^= 1 << bit
			if strings.EqualFold(string(changed[:dataAt]), string(record[:dataAt])) && i < dataAt {
				continue // the same number in capital letters
			}
			if _, why := k.Open("jobs", "a", changed); why == "" {
				t.Errorf("byte %d, bit %d changed: it verifies", i, bit)
			}
		}
	}
}

func TestShortKeysAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := NewKey([]byte("short")); err == nil {
		t.Error("a key of five bytes is taken")
	}
}

func TestTheKeeperTellsOnceAndForgetsWhatIsRepaired(t *testing.T) {
	t.Parallel()
	var told []Foreign
	k := NewKeeper(key(t, ours), func(f Foreign) { told = append(told, f) })
	good := k.Seal("control", "a", []byte("1"))
	if _, err := k.Open("control", "a", good, 1); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := k.Open("control", "a", []byte("rubbish"), 2); !errors.Is(err, ErrForeign) {
			t.Fatalf("error = %v, want ErrForeign", err)
		}
	}
	if len(told) != 1 || len(k.Foreign()) != 1 || k.Foreign()[0].Revision != 2 {
		t.Errorf("told %v, remembers %v", told, k.Foreign())
	}
	if last, ok := k.Last("control", "a"); !ok || !bytes.Equal(last, good) {
		t.Errorf("the last good record is %q", last)
	}
	if _, err := k.Open("control", "a", good, 3); err != nil || len(k.Foreign()) != 0 {
		t.Errorf("after the repair: %v, %v", err, k.Foreign())
	}
	k.Refuse("control", "a", 4, errors.New("unknown field"))
	if _, err := k.Open("control", "a", good, 4); err != nil || len(k.Foreign()) != 1 {
		t.Errorf("a sealed record that cannot be read is forgotten by opening it: %v, %v", err, k.Foreign())
	}
	if _, ok := k.Last("control", "a"); !ok { // Open has seen it, before it turned out to be unreadable
		t.Error("nothing is known of the place")
	}
	k.Refuse("control", "a", 4, errors.New("unknown field"))
	if _, ok := k.Last("control", "a"); ok {
		t.Error("a record that cannot be read would be brought back")
	}
	k.Forget("control", "a")
	if len(k.Foreign()) != 0 || len(told) != 2 {
		t.Errorf("after it was dropped: %v; told %v", k.Foreign(), told)
	}
}

// TestTheNameOfAKeyTellsNothing: neither the name of a key nor another key of the same
// secret is the key itself, and records that are on a bus stay readable.
func TestTheNameOfAKeyTellsNothing(t *testing.T) {
	t.Parallel()
	k := key(t, ours)
	const record = "S1 8c039591 aed87dd1 7092acec6adaa05e36dc9f8d6749abd92a455d2cca3216b811684c58fc2a0c3f data"
	if got := string(k.Seal("control", "a", []byte("data"))); got != record {
		t.Errorf("sealed as %s, want %s", got, record)
	}
	if strings.Contains(hex.EncodeToString([]byte(ours)), k.ID()) {
		t.Errorf("the key's name %s is a part of its secret", k.ID())
	}
	if bytes.Equal(Derive([]byte(ours), "records"), Derive([]byte(ours), "audit")) || !bytes.Equal(k.secret, Derive([]byte(ours), "records")) {
		t.Error("two uses of one secret have one key")
	}
}

// TestTheKeeperIsBounded: neither foreign records nor good ones are remembered without end,
// and the good ones of just before outlive the bound.
func TestTheKeeperIsBounded(t *testing.T) {
	t.Parallel()
	told := 0
	k := NewKeeper(key(t, ours), func(Foreign) { told++ })
	for i := range maxForeign + 2 {
		if _, err := k.Open("control", strconv.Itoa(i), []byte("rubbish"), 1); !errors.Is(err, ErrForeign) {
			t.Fatalf("record %d: %v, want ErrForeign", i, err)
		}
	}
	if len(k.Foreign()) != maxForeign || told != maxForeign {
		t.Errorf("%d foreign records are remembered, %d were told; want %d", len(k.Foreign()), told, maxForeign)
	}
	large := make([]byte, 1<<20)
	for i := range 18 {
		k.Wrote("jobs", strconv.Itoa(i), large, uint64(i))
	}
	for _, i := range []int{0, 16, 17} {
		if _, ok := k.Last("jobs", strconv.Itoa(i)); !ok {
			t.Errorf("the good copy of record %d is forgotten", i)
		}
	}
	for i := range 40 {
		k.Wrote("jobs", "more"+strconv.Itoa(i), large, uint64(i))
	}
	if _, ok := k.Last("jobs", "0"); ok {
		t.Error("good copies are kept without a bound")
	}
}

func TestStrictDecoding(t *testing.T) {
	t.Parallel()
	type record struct {
		A int `json:"a"`
		B int `json:"b,omitempty"`
	}
	for text, good := range map[string]bool{
		`{"a":1}`: true, `{"a":1,"b":2}`: true, `{"a":1} `: true, `{"b":2}`: false, `{"a":1,"c":3}`: false, `{"a":1}{}`: false, `{"a":1}x`: false, `null`: false, ``: false, `[]`: false,
	} {
		var r record
		if err := Strict([]byte(text), &r, "a"); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := Strict([]byte(`{"a":1}{}`), new(record)); err == nil { // without a field that is required
		t.Error("what follows the value is passed over")
	}
}

func FuzzOpen(f *testing.F) {
	k := key(f, ours)
	f.Add(k.Seal("control", "a", []byte("data")))
	f.Add([]byte("S1 "))
	f.Fuzz(func(t *testing.T, record []byte) {
		data, why := k.Open("control", "a", record)
		if why != "" {
			return
		}
		if again := k.Seal("control", "a", data); !strings.EqualFold(string(again[:dataAt]), string(record[:dataAt])) || !bytes.Equal(again[dataAt:], record[dataAt:]) {
			t.Errorf("%q verifies and is not what sealing makes of its data", record)
		}
	})
}
