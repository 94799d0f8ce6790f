package jobs_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/natsstore"
	"edrpipe/pkg/lr"
)

// run runs a scheduler until the returned function is called.
func run(cfg jobs.Config) (s *jobs.Scheduler, stop func()) {
	s, err := jobs.New(cfg)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-ended; err != nil {
			panic(err)
		}
	}
}

// simulated is a client of a simulated EDR server with one Windows sensor, whose
// time runs a hundred times faster than ours.
func simulated() (client *lr.Client, stop func()) {
	sim := edrsim.New(edrsim.Config{TimeScale: 100, CheckIn: 3 * time.Second}).Start()
	client, err := lr.New(lr.Config{URL: sim.URL, Token: sim.Token, Name: "sim"})
	if err != nil {
		panic(err)
	}
	return client, func() { client.CloseIdle(); sim.Close() }
}

// A function is given a session on a sensor when its turn comes: after the
// sensor's check-in, within the slots that the server grants.
func ExampleScheduler_Submit() {
	server, closeServer := simulated()
	defer closeServer()
	s, stop := run(jobs.Config{Server: server})
	defer stop()

	ctx := context.Background()
	h, err := s.Submit(ctx, "1", func(ctx context.Context, session edr.Session) (any, error) {
		list, err := edr.As[edr.Processes](session)
		if err != nil {
			return nil, err
		}
		processes, err := list.Processes(ctx)
		return len(processes) > 0, err
	})
	if err != nil {
		panic(err)
	}
	some, err := h.Wait(ctx)
	fmt.Println("processes run:", some, err)
	// Output: processes run: true <nil>
}

// A durable job is a chain of actions as plain data. It is on disk when Enqueue
// returns, and whoever opens the same records next goes on with it. Its ID makes
// asking twice harmless.
func ExampleScheduler_Enqueue() {
	endpoint := edr.Endpoint{Server: "sim", ID: "1"}
	server, closeServer := simulated()
	defer closeServer()
	js, closeBus := bus()
	defer closeBus()

	ctx := context.Background()
	store, err := natsstore.Open(ctx, js, "jobs", "jobs-finished", nil)
	if err != nil {
		panic(err)
	}
	s, stop := run(jobs.Config{Server: server, Store: store})
	defer stop()

	for range 2 {
		created, err := s.Enqueue(ctx, &jobs.Job{
			ID: jobs.ID("suspicious-download", "event-1", endpoint), Submitter: "rule", Endpoint: endpoint,
			Steps: []actions.Step{{ID: "look", Uses: "list_processes"}},
		})
		if err != nil {
			panic(err)
		}
		fmt.Println("new:", created[0])
	}
	j, err := s.Wait(ctx, jobs.ID("suspicious-download", "event-1", endpoint))
	if err != nil {
		panic(err)
	}
	fmt.Println(j.State, j.Done[0].ID, j.Done[0].State)
	// Output:
	// new: true
	// new: false
	// succeeded look ok
}

// bus is a NATS server with the buckets that job records are kept in.
func bus() (js jetstream.JetStream, stop func()) {
	dir, err := os.MkdirTemp("", "jobs")
	if err != nil {
		panic(err)
	}
	server, err := natsd.Start(natsd.Config{Dir: dir})
	if err != nil {
		panic(err)
	}
	nc, err := nats.Connect("", server.InProcess())
	if err != nil {
		panic(err)
	}
	if js, err = jetstream.New(nc); err != nil {
		panic(err)
	}
	for _, name := range []string{"jobs", "jobs-finished"} {
		if _, err := js.CreateKeyValue(context.Background(), jetstream.KeyValueConfig{Bucket: name}); err != nil {
			panic(err)
		}
	}
	return js, func() {
		nc.Close()
		_ = server.Close() // it is only an example's
		_ = os.RemoveAll(dir)
	}
}
