//go:build linux && !chaos

package chaos

import "time"

// theForm comes with every change: two worlds that are always the same, and one
// that never was before.
var theForm = form{
	seeds: []uint64{1, 2}, worlds: 3, faults: 12, round: 12, gap: 500 * time.Millisecond, every: 100 * time.Millisecond,
	atRest: 2 * time.Minute, limit: time.Minute,
}
