// Package ranking keeps the first of many values in an order, without holding the others.
package ranking

import "slices"

// First keeps the first Size of the values that it is given, in the order of Compare; with
// Size 0 or less it keeps all. It holds twice Size values at the most. The zero value lacks
// Compare.
type First[T any] struct {
	Size    int
	Compare func(a, b T) int

	values []T
	sorted int // so many at the front are in order, and no value after them was dropped wrongly
}

// Add takes a value into account.
func (f *First[T]) Add(v T) {
	f.values = append(f.values, v)
	if f.Size > 0 && len(f.values) >= 2*f.Size {
		f.settle()
	}
}

// settle sorts the values and drops those beyond Size.
func (f *First[T]) settle() {
	if f.sorted == len(f.values) {
		return
	}
	slices.SortStableFunc(f.values, f.Compare)
	if f.Size > 0 && len(f.values) > f.Size {
		clear(f.values[f.Size:]) // what they point to can be freed
		f.values = f.values[:f.Size]
	}
	f.sorted = len(f.values)
}

// Last returns the last of the values that are kept, and whether Size values are: then
// every value that comes after it in the order would be dropped.
func (f *First[T]) Last() (last T, full bool) {
	if f.Size <= 0 || len(f.values) < f.Size {
		return last, false
	}
	f.settle()
	return f.values[len(f.values)-1], true
}

// Values returns the values that are kept, in order. The slice is valid until the next Add.
func (f *First[T]) Values() []T {
	f.settle()
	return f.values
}

// Held returns the number of values that are held now, sorted or not.
func (f *First[T]) Held() int { return len(f.values) }
