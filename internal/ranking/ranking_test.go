package ranking

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFirst: the first values are those of a full sort, and what is held does not grow with
// the number of values that were given.
func TestFirst(t *testing.T) {
	t.Parallel()
	const given = 20_000
	values := rand.New(rand.NewPCG(1, 2)).Perm(given)
	for name, c := range map[string]struct{ size, want, held int }{
		"one":              {1, 1, 2},
		"a page":           {50, 50, 100},
		"as many as given": {given, given, given},
		"more than given":  {given + 1, given, given},
		"all":              {0, given, given},
	} {
		f, held, early := First[int]{Size: c.size, Compare: cmp.Compare[int]}, 0, 0
		for i, v := range values {
			f.Add(v)
			held = max(held, f.Held())
			if i%97 == 0 {
				if last, full := f.Last(); full && last < c.want-1 {
					early++
				}
			}
		}
		got := f.Values()
		want := slices.Sorted(slices.Values(values))[:c.want]
		if !slices.Equal(got, want) || held > c.held || early > 0 {
			t.Errorf("%s: %d values, in order: %v; held %d, want %d at the most; %d times the last was too early", name, len(got), slices.Equal(got, want), held, c.held, early)
		}
		if last, full := f.Last(); full != (c.size > 0 && c.size <= given) || full && last != c.want-1 {
			t.Errorf("%s: the last is %d, full %v", name, last, full)
		}
	}
}
