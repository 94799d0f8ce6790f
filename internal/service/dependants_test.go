package service

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"edrpipe/internal/web"
	"edrpipe/pkg/artifacts"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

// dependant is how a kind of records is tested.
type dependant struct {
	make     func(w *recordsWorld) victim // makes the record
	heals    bool                         // the service writes the record again by itself
	dropOnly bool                         // there is no copy to restore
}

// victim is a record that is replaced by random bytes.
type victim struct {
	key    string
	at     string                              // subject, or key that is fouled where it differs
	held   func(w *recordsWorld)               // checks that nothing which depends on it is done
	goesOn func(w *recordsWorld, after string) // checks that it is, once repaired
}

func (v victim) subject() string {
	if v.at != "" {
		return v.at
	}
	return v.key
}

// whole is the victim on which everything depends.
func whole(key string) func(*recordsWorld) victim {
	return func(w *recordsWorld) victim {
		w.works()
		return victim{key: key, held: (*recordsWorld).idle, goesOn: func(w *recordsWorld, _ string) { w.works() }}
	}
}

// dependants are by bucket and prefix, as in quarantine.Kinds.
var dependants = map[string]dependant{
	"control guard.control": {make: func(w *recordsWorld) victim {
		v := whole("guard.control")(w)
		v.held = func(w *recordsWorld) {
			await(w.r.t, 5*time.Second, "a stop", func() bool { return w.r.guard.Stopped(guard.Area{}) != nil })
			if page, err := w.r.console.Guards(w.r.t.Context()); err != nil || page.Stopped == nil {
				w.r.t.Errorf("the page of guards says %+v, %v; want that everything is stopped", page.Stopped, err)
			}
			w.idle()
		}
		return v
	}},
	"control guard.budget.": {make: whole("guard.budget.lists")},
	"control slots.":        {make: whole("slots.sim")},
	"control seal.check":    {make: whole("seal.check")},
	"control servers.": {make: func(w *recordsWorld) victim {
		return victim{key: serversKey, held: (*recordsWorld).works, goesOn: func(w *recordsWorld, _ string) { w.works() }}
	}},
	"control types.": {make: func(w *recordsWorld) victim {
		const key = "types.73696d.07"
		if err := (records{w.r.ledger.store}).Update(w.r.t.Context(), key, func([]byte) ([]byte, error) { return []byte(`{"7":"workstation"}`), nil }); err != nil {
			w.r.t.Fatal(err)
		}
		return victim{key: key, held: (*recordsWorld).works, goesOn: func(w *recordsWorld, _ string) { w.works() }}
	}},
	"control guard.quota.": {make: func(w *recordsWorld) victim {
		w.works()
		return victim{key: "guard.quota.list", goesOn: func(w *recordsWorld, _ string) { w.works() }, held: func(w *recordsWorld) {
			sensor := w.event("evil.exe")
			await(w.r.t, 10*time.Second, "a job that waits for a person", func() bool { return w.r.jobOf("list", sensor).State == jobs.Held })
			if err := w.r.console.Cancel(w.r.t.Context(), web.User{Name: "ada"}, w.r.jobOf("list", sensor).ID, "enough"); err != nil {
				w.r.t.Error(err)
			}
		}}
	}},
	"control guard.breaker.": {make: func(w *recordsWorld) victim {
		if err := w.r.guard.Failed(w.r.t.Context(), "list", fmt.Sprint("job-", w.next())); err != nil {
			w.r.t.Fatal(err)
		}
		return victim{key: "guard.breaker.list", goesOn: func(w *recordsWorld, _ string) { w.works() }, held: func(w *recordsWorld) {
			if open, _, err := w.r.guard.Open(w.r.t.Context(), "list"); err != nil || open == nil {
				w.r.t.Errorf("the breaker is %v, %v; want that it is open", open, err)
			}
			w.idle()
		}}
	}},
	"control rules.suppress.":  {make: suppression},
	"control rules.correlate.": {make: correlation},
	"control rules.jobs.":      {make: endpointJobs},
	"control containment.":     {make: containment},
	"control probe.": {heals: true, make: func(w *recordsWorld) victim {
		w.checkHealth()
		return victim{key: w.newest("probe."), held: (*recordsWorld).works, goesOn: func(w *recordsWorld, _ string) { w.works() }}
	}},
	"control notified.": {heals: true, make: func(w *recordsWorld) victim {
		await(w.r.t, 40*time.Second, "a mark of what people were told", func() bool { return w.newest("notified.stop") != "" })
		told := w.told.Load()
		return victim{key: w.newest("notified.stop"), held: (*recordsWorld).works, goesOn: func(w *recordsWorld, _ string) {
			await(w.r.t, 40*time.Second, "people to be told again", func() bool { return w.told.Load() > told })
		}}
	}},
	"jobs":          {make: liveJob},
	"jobs-finished": {make: finishedJob},
	"artifacts":     {make: artifact, dropOnly: true},
	"BINARIES":      {make: binary, heals: true},
}

func (w *recordsWorld) checkHealth() { _ = w.r.health(w.r.t.Context()) }

// newest is the key of the newest record in control that begins so; empty: none.
func (w *recordsWorld) newest(prefix string) (newest string) {
	last := uint64(0)
	for key, revision := range w.r.records(storeOf(w.r.t, bus.BucketControl)) {
		if strings.HasPrefix(key, prefix) && revision > last {
			newest, last = key, revision
		}
	}
	return newest
}

// again publishes another process start on the endpoint.
func (w *recordsWorld) again(sensor string, pid int) {
	var n int
	if _, err := fmt.Sscan(sensor, &n); err != nil {
		w.r.t.Fatal(err)
	}
	w.r.publish(start(n, pid))
}

// alike publishes another event of the process that event began on the endpoint.
func (w *recordsWorld) alike(sensor string) {
	var n int
	if _, err := fmt.Sscan(sensor, &n); err != nil {
		w.r.t.Fatal(err)
	}
	w.r.publish(strings.Replace(start(n, 7), `"pid":7,`, fmt.Sprintf(`"pid":%d,`, 1000+w.next()), 1))
}

// letters counts the dead letters of a reason.
func (w *recordsWorld) letters(reason string) (n int) {
	for _, d := range w.r.dead() {
		if d.Reason == reason {
			n++
		}
	}
	return n
}

func suppression(w *recordsWorld) victim {
	sensor := w.event("evil.exe")
	await(w.r.t, 30*time.Second, "a job", func() bool { return w.r.jobOf("list", sensor).State == jobs.Succeeded })
	before := w.letters("quarantine")
	key := ""
	await(w.r.t, 10*time.Second, "the suppression", func() bool { key = w.newest("rules.suppress."); return key != "" })
	return victim{key: key,
		held: func(w *recordsWorld) {
			w.alike(sensor)
			await(w.r.t, 10*time.Second, "a dead letter", func() bool { return w.letters("quarantine") > before })
			if n := w.jobsOn(sensor); n != 1 {
				w.r.t.Errorf("%d jobs of one key", n)
			}
		},
		goesOn: func(w *recordsWorld, after string) {
			w.alike(sensor)
			w.works()
			want := map[string]int{restore: 1, drop: 2}[after]
			await(w.r.t, 10*time.Second, fmt.Sprint(want, " jobs of the key after ", after), func() bool { return w.jobsOn(sensor) == want })
		},
	}
}

func endpointJobs(w *recordsWorld) victim {
	sensor := w.event("evil.exe")
	key := ""
	await(w.r.t, 30*time.Second, "a job and its count", func() bool {
		key = w.newest("rules.jobs.")
		return w.r.jobOf("list", sensor).State == jobs.Succeeded && key != ""
	})
	before := w.letters("quarantine")
	return victim{key: key,
		held: func(w *recordsWorld) {
			w.refuses(sensor, before)
			if n := w.jobsOn(sensor); n != 1 {
				w.r.t.Errorf("%d jobs of an endpoint whose jobs cannot be counted, want the first", n)
			}
		},
		goesOn: func(w *recordsWorld, _ string) {
			w.again(sensor, 9)
			await(w.r.t, 20*time.Second, "a further job", func() bool { return w.jobsOn(sensor) > 1 })
		},
	}
}

// refuses waits until a further event of an endpoint is a dead letter, of which there were
// some before.
func (w *recordsWorld) refuses(sensor string, before int) {
	w.again(sensor, 8)
	await(w.r.t, 10*time.Second, "a dead letter", func() bool { return w.letters("quarantine") > before })
}

// jobsOn counts the jobs of the rule list on an endpoint.
func (w *recordsWorld) jobsOn(sensor string) (n int) {
	for _, j := range w.r.jobs("") {
		if j.Rule == "list" && string(j.Sensor) == sensor {
			n++
		}
	}
	return n
}

func correlation(w *recordsWorld) victim {
	sensor := w.event("evil.exe")
	key := ""
	await(w.r.t, 30*time.Second, "a job and its window", func() bool {
		key = w.newest("rules.correlate.")
		return w.r.jobOf("list", sensor).State == jobs.Succeeded && key != ""
	})
	before := w.letters("quarantine")
	return victim{key: key,
		held: func(w *recordsWorld) {
			w.refuses(sensor, before)
			if j := w.r.jobOf("burst", sensor); j.ID != "" {
				w.r.t.Errorf("a window that is not known was completed: %+v", j)
			}
		},
		goesOn: func(w *recordsWorld, after string) {
			w.again(sensor, 9)
			if after == drop { // it starts from an empty record
				w.works()
				if j := w.r.jobOf("burst", sensor); j.ID != "" {
					w.r.t.Errorf("a window of one event was completed: %+v", j)
				}
				w.again(sensor, 10)
			}
			await(w.r.t, 20*time.Second, "the job of the window", func() bool { return w.r.jobOf("burst", sensor).ID != "" })
		},
	}
}

func containment(w *recordsWorld) victim {
	sensor := fmt.Sprint(w.next())
	id := w.r.ask(sensor, "isolate")
	await(w.r.t, 30*time.Second, "the isolation", func() bool { return w.r.state(id) == jobs.Succeeded })
	undo := ""
	return victim{key: w.newest("containment."),
		held: func(w *recordsWorld) {
			undo = w.r.ask(sensor, "unisolate")
			for deadline := time.Now().Add(quiet); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
				if s := w.r.state(undo); s == jobs.Succeeded {
					w.r.t.Fatalf("the isolation was ended although it is not known who wants it")
				}
			}
		},
		goesOn: func(w *recordsWorld, _ string) {
			await(w.r.t, 60*time.Second, "the end of the job", func() bool { return w.r.state(undo).Terminal() })
			id := w.r.ask(sensor, "isolate")
			await(w.r.t, 60*time.Second, "the isolation", func() bool { return w.r.state(id) == jobs.Succeeded })
		},
	}
}

func liveJob(w *recordsWorld) victim {
	n := w.next()
	sensor := fmt.Sprint(n)
	power := func(on bool) {
		if err := w.sim.SetPower(n, on); err != nil {
			w.r.t.Fatal(err)
		}
	}
	power(false)
	w.r.publish(start(n, 7))
	await(w.r.t, 20*time.Second, "a job that waits", func() bool { return w.r.jobOf("list", sensor).ID != "" })
	id := w.r.jobOf("list", sensor).ID
	return victim{key: id,
		held: func(w *recordsWorld) {
			power(true)
			w.works()
			if j, err := w.r.fleet.Get(w.r.t.Context(), id); err == nil {
				w.r.t.Errorf("the job is read as %+v", j)
			}
		},
		goesOn: func(w *recordsWorld, after string) {
			want := map[string]jobs.State{restore: jobs.Succeeded, drop: jobs.Unknown}[after]
			await(w.r.t, 30*time.Second, "the job "+string(want), func() bool {
				j, err := w.r.fleet.Get(w.r.t.Context(), id)
				return err == nil && j.State == want
			})
		},
	}
}

func finishedJob(w *recordsWorld) victim {
	sensor := w.event("evil.exe")
	await(w.r.t, 20*time.Second, "a job that has ended", func() bool { return w.r.jobOf("list", sensor).State == jobs.Succeeded })
	id := w.r.jobOf("list", sensor).ID
	await(w.r.t, 10*time.Second, "its record", func() bool {
		return w.r.records(storeOf(w.r.t, bus.BucketFinished))[id] != 0
	})
	return victim{key: id,
		held: func(w *recordsWorld) {
			if j := w.r.jobOf("list", sensor); j.ID != "" {
				w.r.t.Errorf("the job is shown as %+v", j)
			}
			if _, err := w.r.console.Job(w.r.t.Context(), id); err == nil || !strings.Contains(err.Error(), "quarantine") {
				w.r.t.Errorf("the job's page: %v", err)
			}
			w.works()
		},
		goesOn: func(w *recordsWorld, after string) {
			if shown := w.r.jobOf("list", sensor).ID != ""; shown != (after == restore) {
				w.r.t.Errorf("after %s the job is shown: %v", after, shown)
			}
		},
	}
}

func artifact(w *recordsWorld) victim {
	n := w.next()
	if err := w.sim.WriteFile(n, `c:\evidence.bin`, []byte("evidence")); err != nil {
		w.r.t.Fatal(err)
	}
	w.r.publish(strings.ReplaceAll(start(n, 7), "evil.exe", "take.exe"))
	await(w.r.t, 30*time.Second, "the file", func() bool { return w.r.jobOf("take", fmt.Sprint(n)).State == jobs.Succeeded })
	page, err := w.r.console.Job(w.r.t.Context(), w.r.jobOf("take", fmt.Sprint(n)).ID)
	if err != nil || len(page.Artifacts) != 1 {
		w.r.t.Fatalf("the job's files: %+v, %v", page, err)
	}
	id := page.Artifacts[0].ID
	return victim{key: id, at: "$O.artifacts.M." + base64.URLEncoding.EncodeToString([]byte(id+".json")),
		held: func(w *recordsWorld) {
			files := w.r.files()
			if slices.Contains(files, id) {
				w.r.t.Error("the file is shown")
			}
			artifact(w)
			if got := w.r.files(); len(got) != len(files)+1 {
				w.r.t.Errorf("%d files are shown, and one more was collected: want %d", len(got), len(files)+1)
			}
		},
		goesOn: func(w *recordsWorld, _ string) {
			if page, err := w.r.console.Job(w.r.t.Context(), page.Job.ID); err != nil || len(page.Artifacts) != 0 {
				w.r.t.Errorf("the job's files: %+v, %v", page.Artifacts, err)
			}
		},
	}
}

// files are the ids of the collected files.
func (r running) files() (ids []string) {
	r.t.Helper()
	all, err := r.console.Files(r.t.Context(), artifacts.Filter{})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, a := range all {
		ids = append(ids, a.ID)
	}
	return ids
}

func binary(w *recordsWorld) victim {
	begin := func(w *recordsWorld) string {
		n := w.next()
		w.r.publish(strings.ReplaceAll(hashed(n, 7, packedMD5), "evil.exe", "packed.exe"))
		return fmt.Sprint(n)
	}
	match := func(w *recordsWorld) {
		sensor := begin(w)
		await(w.r.t, 40*time.Second, "a job of the binary", func() bool { return w.r.jobOf("renamed", sensor).State == jobs.Succeeded })
	}
	match(w)
	var key string
	await(w.r.t, 10*time.Second, "its record", func() bool {
		for k := range w.r.records(storeOf(w.r.t, bus.StreamBinaries)) {
			key = k
		}
		return key != ""
	})
	return victim{key: key, held: match, goesOn: func(w *recordsWorld, _ string) { match(w) }}
}
