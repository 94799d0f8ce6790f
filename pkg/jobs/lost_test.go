package jobs

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAJobWhoseRecordVanishedEndsAsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(2)
		w.srv.set(2, func(s *fakeSensor) { s.online = false })
		all, stop := w.replicas(t, nil, nil)
		defer stop()
		finished, live, vanished := chain(1, step("test_run", "a")), chain(2, step("test_run", "b")), chain(2, step("test_run", "c"))
		enqueue(t, all[0], finished, live, vanished)
		wantEnd(t, all[0], finished.ID, Succeeded)
		var told []TransitionNotice
		for _, j := range []*Job{finished, live, vanished} {
			told = append(told, j.History[0].Notice(j))
		}
		w.store.Forget(vanished.ID)

		again, stopAgain := w.replicas(t, nil, nil) // a start after that
		defer stopAgain()
		n := 0
		for _, s := range again {
			lost, err := s.Lost(t.Context(), told)
			if err != nil {
				t.Fatal(err)
			}
			if n += len(lost); len(lost) == 1 && lost[0] != vanished.ID {
				t.Errorf("lost is %v, want %s", lost, vanished.ID)
			}
		}
		if n != 1 {
			t.Errorf("%d jobs were found lost, want one, by one replica", n)
		}
		ended := wantEnd(t, again[0], vanished.ID, Unknown)
		if ended.Reason != ReasonRecordLost || ended.Endpoint != at(2) {
			t.Errorf("it ended because of %q on %s", ended.Reason, ended.Endpoint)
		}
		time.Sleep(time.Minute)
		if got := w.published(vanished.ID); len(got) == 0 || got[0] != Unknown {
			t.Errorf("its results are %v, want unknown", got)
		}
		if j, err := again[0].Get(t.Context(), live.ID); err != nil || j.State.Terminal() {
			t.Errorf("the live job: %v, %v", j, err)
		}
		if _, err := again[0].Resolve(t.Context(), vanished.ID, Happened, "ann"); err == nil {
			t.Error("a job of which no step is known was resolved")
		}
	})
}
