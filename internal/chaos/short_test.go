//go:build linux && !chaos

package chaos

import "time"

// theForm comes with every change: a world that is always the same, and one that
// never was before.
var theForm = form{
	seeds: []uint64{1}, worlds: 2, faults: 14, round: 14, gap: 500 * time.Millisecond, every: 200 * time.Millisecond,
	atRest: 2 * time.Minute, limit: 5 * time.Minute,
}
