package seal

import (
	"bytes"
	"errors"
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
		"places that join": {"control.guard", "control", record, "for this place"},
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
	k.Forget("control", "a")
	if len(k.Foreign()) != 0 || len(told) != 2 {
		t.Errorf("after it was dropped: %v; told %v", k.Foreign(), told)
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
