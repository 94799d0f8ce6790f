package service

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

const binaryRules = `
rules:
  - id: renamed
    on: process_start
    when: ieq(image.original_name, "pack.exe") && !iendswith(process.path, "\\pack.exe")
    suppress: { for: 0s }
    steps: [ { uses: list_processes } ]
  - id: other
    on: process_start
    when: ieq(image.original_name, "other.exe")
    suppress: { for: 0s }
    steps: [ { uses: list_processes } ]
`

const summaryRoute = "GET /api/v1/binary/{md5}/summary"

// hashed is a start of a process whose image has an MD5.
func hashed(sensor, pid int, md5 string) string {
	return strings.Replace(start(sensor, pid), `"pid"`, fmt.Sprintf(`"md5":%q,"pid"`, md5), 1)
}

// TestABinaryIsReadOnce: a rule on the image's metadata is held while the binary is not
// known, and decided when the server or an event has described it. All events of one
// binary take one request, and none after a restart.
func TestABinaryIsReadOnce(t *testing.T) {
	t.Parallel()
	const known, reported = "0F0102030405060708090A0B0C0D0E0F", "1F0102030405060708090A0B0C0D0E0F"
	sim := edrsim.New(edrsim.Config{CheckIn: 20 * time.Millisecond, Fleet: []edrsim.SensorSpec{{Count: 4}}}).Start()
	t.Cleanup(sim.Close)
	if err := sim.AddBinary(known, map[string]any{"original_filename": "PACK.EXE"}); err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, sim, binaryRules, "")
	t.Run("requested", func(t *testing.T) {
		r := p.on(t).run()
		r.publish(hashed(1, 7, known), hashed(2, 8, known), hashed(1, 9, known))
		for _, sensor := range []string{"1", "2"} {
			await(t, 40*time.Second, "the match on sensor "+sensor, func() bool { return r.jobOf("renamed", sensor).State == jobs.Succeeded })
			await(t, 20*time.Second, "no match on sensor "+sensor, func() bool { return r.jobOf("other", sensor).State == jobs.Skipped })
		}
		if n := sim.Counters().Requests[summaryRoute]; n != 1 {
			t.Errorf("%d requests for one binary", n)
		}
	})
	t.Run("reported", func(t *testing.T) {
		r := p.on(t).run()
		r.publish(hashed(3, 7, reported))
		await(t, 20*time.Second, "the held job", func() bool { return r.jobOf("renamed", "3").Reason == jobs.ReasonFactPending })
		if j := r.jobOf("renamed", "3"); !strings.Contains(j.Detail, "image not read") {
			t.Errorf("the held job does not say what is missing: %+v", j)
		}
		await(t, 20*time.Second, "the request", func() bool { return sim.Counters().Requests[summaryRoute] == 2 })
		r.publish(fmt.Sprintf(`{"type":"ingress.event.module","md5":%q,"utf8_original_file_name":"pack.exe","digsig":{"result":"Unsigned"},"timestamp":%d,"cb_server":"sim"}`, reported, time.Now().Unix()))
		await(t, 40*time.Second, "the match", func() bool { return r.jobOf("renamed", "3").State == jobs.Succeeded })
	})
	t.Run("remembered", func(t *testing.T) {
		r := p.on(t).run()
		await(t, 20*time.Second, "the log", func() bool { n, _ := r.binaries.Size(); return n == 2 })
		r.publish(hashed(4, 7, known))
		await(t, 40*time.Second, "the match", func() bool { return r.jobOf("renamed", "4").State == jobs.Succeeded })
		if j := r.jobOf("other", "4"); j.ID != "" {
			t.Errorf("a rule that does not match is held although the binary is known: %+v", j)
		}
		if n := sim.Counters().Requests[summaryRoute]; n != 2 {
			t.Errorf("%d requests for two binaries", n)
		}
	})
}
