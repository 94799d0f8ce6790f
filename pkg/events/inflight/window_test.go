package inflight_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"edrpipe/pkg/events/inflight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ExampleWindow() {
	var w inflight.Window[string]
	w.Add(10, "first")
	w.Add(20, "second")
	_, _, moved := w.Done(20)
	fmt.Println("second settled, floor moved:", moved)
	floor, value, _ := w.Done(10)
	fmt.Println("first settled, floor:", floor, value)
	// Output:
	// second settled, floor moved: false
	// first settled, floor: 20 second
}

func TestFloorNeverPassesAnUnsettledDelivery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		order := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)).Perm(n)
		var w inflight.Window[int]
		for i := range n {
			w.Add(uint64(i*7), i)
		}
		settled := make([]bool, n)
		for left := n; left > 0; left-- {
			i := order[left-1]
			settled[i] = true
			floor, v, moved := w.Done(uint64(i * 7))
			want := -1
			for want+1 < n && settled[want+1] {
				want++
			}
			if moved && (v != want || floor != uint64(want*7)) {
				t.Fatalf("floor = %d (value %d), want %d", floor, v, want*7)
			}
			if got := w.Len(); got != left-1 {
				t.Fatalf("len = %d, want %d", got, left-1)
			}
		}
		select {
		case <-w.Idle():
		default:
			t.Fatal("all settled, not idle")
		}
	})
}

func TestDeliveredAgainIsUnsettledAgain(t *testing.T) {
	var w inflight.Window[string]
	w.Add(1, "a")
	w.Add(2, "b")
	w.Done(2)
	w.Add(2, "b again")
	w.Add(2, "b again")
	if _, v, moved := w.Done(1); !moved || v != "a" {
		t.Errorf("floor at %q moved %v, want a", v, moved)
	}
	if _, v, moved := w.Done(2); !moved || v != "b again" {
		t.Errorf("floor at %q moved %v, want b again", v, moved)
	}
	if _, _, moved := w.Done(2); moved {
		t.Error("a second settlement moved the floor")
	}
}

func TestAllReportsOnceWithAnyError(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name  string
		parts []error
		want  error
	}{
		{"none", nil, nil},
		{"all well", []error{nil, nil}, nil},
		{"one of three fails", []error{nil, broken, nil}, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls, got := 0, error(nil)
			part := inflight.All(len(c.parts), func(err error) { calls++; got = err })
			for _, err := range c.parts {
				part(err)
			}
			if calls != 1 || !errors.Is(got, c.want) {
				t.Errorf("settled %d times with %v, want once with %v", calls, got, c.want)
			}
		})
	}
}
