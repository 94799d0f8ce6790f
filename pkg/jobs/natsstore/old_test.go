package natsstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs/job"
	"edrpipe/pkg/seal"
)

// oldRecord is a job as versions before endpoints wrote it.
func oldRecord(id string, sensor int) []byte {
	body := fmt.Sprintf(`{"id":%q,"rule":"r","submitter":"rule","server":"hq","sensor":%d,"priority":"normal","steps":[{"id":"a","uses":"list_processes"}],`+
		`"event":{"event":{"id":"e1"}},"state":"queued","created":"2026-01-01T00:00:00Z","updated":"2026-01-01T00:00:00Z",`+
		`"done":[{"id":"a","uses":"list_processes","state":"intent","session":77}]}`, id, sensor)
	return []byte(fmt.Sprintf("1 %08x %s", crc32.Checksum([]byte(body), castagnoli), body))
}

func TestOldRecordsAreRead(t *testing.T) {
	ctx, js := t.Context(), newJetStream(t, t.TempDir())
	newKV(t, js)
	live, err := js.KeyValue(ctx, "jobs")
	if err != nil {
		t.Fatal(err)
	}
	old := job.Digest("job", "r", "e1", "42") // as the old version made ids
	if _, err := live.Put(ctx, old, (*seal.Keeper)(nil).Seal("jobs", old, oldRecord(old, 42))); err != nil {
		t.Fatal(err)
	}
	s := newKV(t, js)
	j, err := s.Get(ctx, old)
	if err != nil || j.Endpoint != (edr.Endpoint{Server: "hq", ID: "42"}) || j.Done[0].Session != "77" {
		t.Fatalf("the old record is %+v, %v", j, err)
	}

	// The event comes once more. It must not make a second job, also after the record
	// has been written in the new form, and after a restart.
	again := func(s *Store, want bool) {
		t.Helper()
		j := record("x")
		j.Rule, j.Endpoint = "r", edr.Endpoint{Server: "hq", ID: "42"}
		j.Event = &events.Event{}
		j.Event.Event.ID = "e1"
		j.ID = job.ID(j.Rule, "e1", j.Endpoint)
		created, err := s.Create(ctx, []*job.Job{j})
		if err != nil || created[0] != want {
			t.Errorf("a redelivered event makes a job: %v, %v, want %t", created, err, want)
		}
	}
	again(s, false)
	if err := s.Update(ctx, j); err != nil {
		t.Fatal(err)
	}
	if entry, err := live.Get(ctx, old); err != nil || !strings.HasPrefix(string(seal.Content(entry.Value())), recordVersion) || strings.Contains(string(entry.Value()), `"sensor":42`) {
		t.Errorf("the record is still of the old form: %s, %v", entry.Value(), err)
	}
	again(newKV(t, js), false)

	// A bucket that never had old records has no old ids to look for.
	fresh := newKV(t, newJetStream(t, t.TempDir()))
	if fresh.old {
		t.Error("an empty bucket is taken for an old one")
	}
	again(fresh, true)
}

func TestRecordsOfOtherFormsAreRefused(t *testing.T) {
	if _, err := decodeRecord("k", []byte("3 00000000 {}"), 1); !errors.Is(err, job.ErrDamaged) || !strings.Contains(err.Error(), "does not know") {
		t.Errorf("a record of a form to come: %v", err)
	}
}

func TestOldTableIsReadAndNewOneRefusedByOldVersions(t *testing.T) {
	ctx, js := t.Context(), newJetStream(t, t.TempDir())
	newKV(t, js)
	control, err := js.KeyValue(ctx, "control")
	if err != nil {
		t.Fatal(err)
	}
	store := Table{Bucket: control, Server: "hq"}
	if _, err := control.Put(ctx, "slots.hq", []byte(`{"epoch":9,"beats":{"a":3},"claims":{"42":{"owner":"a","epoch":9,"slot":true,"session":77}}}`)); err != nil {
		t.Fatal(err)
	}
	table, revision, err := store.Load(ctx)
	want := job.Claim{Owner: "a", Epoch: 9, Slot: true, Session: "77"}
	if err != nil || table.Format != 1 || table.Claims[edr.Endpoint{Server: "hq", ID: "42"}] != want {
		t.Fatalf("the old table is %+v, %v", table, err)
	}
	if _, err := store.Save(ctx, table, revision); err != nil {
		t.Fatal(err)
	}
	if table, _, err = store.Load(ctx); err != nil || table.Format != 2 || len(table.Claims) != 1 || table.Claims[edr.Endpoint{Server: "hq", ID: "42"}] != want {
		t.Errorf("written again it is %+v, %v", table, err)
	}
	for _, claims := range []map[edr.Endpoint]job.Claim{table.Claims, nil} { // also an empty table
		table.Claims = claims
		data, err := table.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := decodeAsBefore(data); err == nil || !strings.Contains(err.Error(), "too old") {
			t.Errorf("an old version reads %s: %v", data, err)
		}
	}
	if _, err := job.DecodeTable("hq", []byte(`{"format":3,"epoch":1,"beats":{},"claims":{}}`)); err == nil || !strings.Contains(err.Error(), "newer replica") {
		t.Errorf("a table of a format to come: %v", err)
	}
}

// decodeAsBefore reads a table as versions before format 2 did.
func decodeAsBefore(data []byte) error {
	var t struct {
		Epoch  uint64            `json:"epoch"`
		Beats  map[string]uint64 `json:"beats"`
		Claims map[int]struct {
			Owner   string `json:"owner"`
			Session int64  `json:"session,omitempty"`
		} `json:"claims"`
	}
	return json.Unmarshal(data, &t)
}
