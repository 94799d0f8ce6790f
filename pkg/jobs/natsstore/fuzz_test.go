package natsstore

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"testing"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// FuzzDecodeRecord: a record that is read is a job of its key, in a state that there is,
// and is the same when it is written and read again.
func FuzzDecodeRecord(f *testing.F) {
	data, err := encodeRecord(record("a"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[recordHead:])
	f.Add(oldRecord("a", 42)[recordHead:])
	f.Fuzz(func(t *testing.T, body []byte) {
		data := fmt.Appendf(nil, "%s%08x %s", recordVersion, crc32.Checksum(body, castagnoli), body)
		j, err := decodeRecord("a", data, 1)
		if err != nil {
			return
		}
		if j.ID != "a" || j.State == "" {
			t.Fatalf("read as %+v", j)
		}
		again, err := encodeRecord(j)
		if err != nil {
			return // its parts are too large together
		}
		j2, err := decodeRecord("a", again, 1)
		if err != nil {
			t.Fatalf("written again it cannot be read: %v\n%s", err, again)
		}
		if third, err := encodeRecord(j2); err != nil || !bytes.Equal(again, third) {
			t.Errorf("%s became %s, %v", again, third, err)
		}
	})
}

// FuzzDecodeTable: every claim of a table that is read is on an endpoint that can be
// written again.
func FuzzDecodeTable(f *testing.F) {
	table := job.Table{}.Clone()
	table.Claims[edr.Endpoint{Server: "hq", ID: "7"}] = job.Claim{Owner: "a", Epoch: 1, Slot: true, Session: "9"}
	data, err := table.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"epoch":9,"beats":{"a":3},"claims":{"42":{"owner":"a","epoch":9,"slot":true,"session":77}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := job.DecodeTable("hq", data)
		if err != nil {
			return
		}
		if _, err := table.Encode(); err != nil {
			t.Errorf("%s is read and cannot be written: %v", data, err)
		}
	})
}
