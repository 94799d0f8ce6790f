package lr

import (
	"context"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// Bounds of the pause between two looks at something that the server does not
// let us wait for.
const (
	minPoll        = 20 * time.Millisecond
	maxCommandPoll = 5 * time.Second
	maxSessionPoll = time.Second
	maxSensorPoll  = 5 * time.Second
)

// firstHold is how long the first long poll waits; each next one twice as long,
// up to Config.LongPoll. A request that hangs then costs a short command little.
const firstHold = 5 * time.Second

// A probe checks the awaited condition once. With hold > 0 it may let the server
// hold the request for so long.
type probe func(ctx context.Context, hold time.Duration) (done bool, err error)

// await probes until it is done: by long polls where the server holds requests,
// otherwise by polls whose pauses grow with the time already waited, so that a
// command of 30 ms is seen within some 10 ms of its end, and one of an hour is
// looked at some 700 times.
func (c *Client) await(ctx context.Context, w edr.Where, most time.Duration, look probe) error {
	start := time.Now()
	hold := min(firstHold, max(c.cfg.LongPoll, 0))
	for {
		asked := time.Now()
		done, err := look(ctx, hold)
		held := time.Since(asked)
		switch {
		case ctx.Err() != nil && (err != nil || !done):
			return liveresponse.Unanswered(w, context.Cause(ctx))
		case err != nil && hold > 0 && isPassing(err):
			hold = 0 // cut off, by a proxy or a fault
		case err != nil:
			return plain(err, w)
		case done:
			return nil
		case hold > 0 && held >= min(time.Second, hold/2):
			hold = min(2*hold, c.cfg.LongPoll)
			continue
		default:
			hold = 0 // answered at once: it does not hold requests
		}
		if err := pace.Sleep(ctx, min(max((time.Since(start))/4, minPoll), most)); err != nil {
			return liveresponse.Unanswered(w, err)
		}
	}
}

func isPassing(err error) bool {
	f, ok := err.(*failure)
	return ok && f.passing
}

// held performs a GET that the server may hold for up to hold; without hold it
// is an ordinary, repeatable one. timely is false when the time ran out first.
func (c *Client) held(ctx context.Context, r call, hold time.Duration) (timely bool, err error) {
	if hold <= 0 {
		r.repeat = true
		return true, c.do(ctx, r)
	}
	r.query = map[string][]string{"wait": {"true"}}
	r.limit = hold
	f := c.once(ctx, r)
	switch {
	case f == nil:
		return true, nil
	case f.err.Status == 0 && ctx.Err() == nil && isDeadline(f):
		return false, nil
	}
	return true, f
}
