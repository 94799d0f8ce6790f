//go:build linux && chaos

package chaos

import "time"

// theForm of a long run: 1,000 faults. FAULTS (of all worlds together), WORLDS and
// LIMIT change it.
var theForm = form{
	worlds: 4, faults: 250, round: 50, gap: 800 * time.Millisecond, every: 150 * time.Millisecond,
	shape: shape{newcomers: 100}, atRest: 3 * time.Minute, limit: 30 * time.Minute,
}
