package service

import (
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/health"
	"edrpipe/internal/web"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// TestAVanishedRecordIsTold: of two jobs that wait for a sleeping sensor the bus
// loses one record without a word, as a flipped bit in a block can make it. After
// the next start the job has ended as unknown, and the other still waits.
func TestAVanishedRecordIsTold(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 2, CheckIn: 20 * time.Millisecond}).Start()
	defer sim.Close()
	if err := sim.SetPower(2, false); err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, sim, listProcesses, "")
	var gone, kept string
	t.Run("before", func(t *testing.T) {
		r := p.on(t).run()
		r.publish(start(1, 6), start(2, 7), start(2, 8))
		await(t, time.Minute, "two jobs that wait and one that ended", func() bool {
			return len(r.jobs("live")) == 2 && len(r.jobs("ended")) == 1
		})
		live := r.jobs("live")
		gone, kept = live[0].ID, live[1].ID
		stream, err := r.bus.JetStream().Stream(t.Context(), "KV_"+bus.BucketJobs)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Purge(t.Context(), natsjs.WithPurgeSubject("$KV."+bus.BucketJobs+"."+gone)); err != nil {
			t.Fatal(err)
		}
	})
	r := p.on(t).run()
	await(t, time.Minute, "the vanished job as ended", func() bool { return len(r.jobs("ended")) == 2 })
	r.become("jobs", health.Degraded, "1 job ended without a known outcome")
	needed := func() bool {
		o, err := r.Service.console.Overview(t.Context(), 1)
		if err != nil {
			t.Error(err)
		}
		return hasNeed(o.Needs, "unknown", "1 job ended")
	}
	if !needed() {
		t.Error("the unknown outcome needs nobody")
	}
	if _, err := r.Service.console.Resolve(t.Context(), web.User{Name: "ada"}, gone, web.Resolution{Outcome: "settled", Why: "looked at it"}); err != nil {
		t.Fatal(err)
	}
	r.become("jobs", health.OK, "")
	if needed() {
		t.Error("a settled outcome still needs people")
	}
	for _, j := range r.jobs("") {
		switch {
		case j.ID == gone && (j.State != jobs.Unknown || j.Reason != jobs.ReasonRecordLost || j.Sensor != "2" || j.Rule != "list"):
			t.Errorf("the vanished job is %+v", j)
		case j.ID == kept && j.State.Terminal():
			t.Errorf("the other job is %s: %s", j.State, j.Reason)
		}
	}
}
