//go:build linux && !chaos

package chaos

import "time"

var theForm = form{replicas: 2, faults: 25, events: 120, gap: 300 * time.Millisecond, every: 50 * time.Millisecond, atRest: time.Minute}
