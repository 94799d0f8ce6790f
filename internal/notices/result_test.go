package notices

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// TestAResultIsPublishedOnce, with an id that follows from the job alone: who reads it
// from two replicas, or years apart, sees that it is the same.
func TestAResultIsPublishedOnce(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ended := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	j := &jobs.Job{ID: "j1", Rule: "r1", Endpoint: edr.Endpoint{Server: "hq", ID: "7"}, State: jobs.Succeeded, Ended: ended}
	tenant := func(string) string { return "north" }
	for _, title := range []string{"one", "two"} { // of a replica that is called otherwise
		for range 2 {
			if err := (Publisher{Bus: b, Title: title, Tenant: tenant}).Report(t.Context(), jobs.Report{Job: j, Final: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for stream, subject := range map[string]string{bus.StreamResults: "edr.results.r1.j1", bus.StreamTenants: "edr.tenant.north.results.r1.j1"} {
		if got, want := idsOn(t, b, stream), []string{subject + " j1-result edrpipe/hq"}; !slices.Equal(got, want) {
			t.Errorf("stream %s has %v, want %v", stream, got, want)
		}
	}
}

// idsOn lists subject, id and source of what is in a stream.
func idsOn(t *testing.T, b *bus.Bus, stream string) (ids []string) {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		m, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		var event struct{ ID, Source string }
		if err := json.Unmarshal(m.Data, &event); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.Subject+" "+event.ID+" "+event.Source)
	}
	return ids
}
