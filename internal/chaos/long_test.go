//go:build linux && chaos

package chaos

import "time"

// theForm of a long run; FAULTS and EVENTS change how long.
var theForm = form{replicas: 3, faults: 1000, events: 4000, gap: 300 * time.Millisecond, every: 80 * time.Millisecond, atRest: 3 * time.Minute}
