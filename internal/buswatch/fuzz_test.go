package buswatch

import (
	"encoding/json"
	"testing"
	"time"

	"edrpipe/pkg/jobs"
)

// FuzzTransition: what is read of a transition names a job and a state that exists, and is
// the same when it is written and read again.
func FuzzTransition(f *testing.F) {
	data, err := json.Marshal(map[string]any{"data": jobs.TransitionNotice{Job: "a", Server: "hq", Sensor: "7", State: jobs.Running, At: time.Unix(1767323045, 0).UTC()}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"data":{"job":"a","state":"gone"}}`))
	f.Add([]byte(`{"data":{"state":"running"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := transition(data)
		if err != nil {
			return
		}
		live := n.State == jobs.Held || n.State == jobs.Queued || n.State == jobs.Parked || n.State == jobs.Running
		if n.Job == "" || live == n.State.Terminal() {
			t.Fatalf("%s was read as job %q in state %q", data, n.Job, n.State)
		}
		written, err := json.Marshal(map[string]any{"data": n})
		if err != nil {
			return // a year that JSON cannot have
		}
		again, err := transition(written)
		if err != nil || !again.At.Equal(n.At) || !again.WakeAt.Equal(n.WakeAt) {
			t.Fatalf("%s: %+v, %v", written, again, err)
		}
		if again.At, again.WakeAt = n.At, n.WakeAt; again != n {
			t.Errorf("%+v became %+v", n, again)
		}
	})
}
