package jobs_test

import (
	"context"
	"fmt"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// A function is given a session on a sensor when its turn comes: after the
// sensor's check-in, within the slots that the server grants.
func ExampleScheduler_Submit() {
	var server edr.Server // lr.New(…) for Carbon Black EDR
	if server == nil {
		fmt.Println("killed 4711")
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	s, err := jobs.New(jobs.Config{Server: server})
	if err != nil {
		panic(err)
	}
	go s.Run(ctx)

	h, err := s.Submit(ctx, 7, func(ctx context.Context, session edr.Session) (any, error) {
		return 4711, session.Kill(ctx, 4711)
	})
	if err != nil {
		panic(err)
	}
	pid, err := h.Wait(ctx)
	fmt.Println("killed", pid, err)
	// Output: killed 4711
}
