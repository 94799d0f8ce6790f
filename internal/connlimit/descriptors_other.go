//go:build !unix

package connlimit

import "math"

// descriptors is how many files and connections the process may have open: here the
// system sets no such limit.
func descriptors() int { return math.MaxInt32 }
