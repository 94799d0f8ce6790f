package natsstore

import (
	"encoding/json"
	"fmt"
	"hash/crc32"

	"edrpipe/pkg/jobs/job"
)

// A record on the bus is "1 ", the CRC-32C of what follows in hex, a space, and
// the job as JSON: readable with the bus's own tools, and any flipped bit shows.
const recordVersion = "1 "

const recordHead = len(recordVersion) + 8 + 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeRecord(j *job.Job) ([]byte, error) {
	data, err := job.Encode(j)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("%s%08x ", recordVersion, crc32.Checksum(data, castagnoli))
	return append([]byte(head), data...), nil
}

func decodeRecord(key string, data []byte, revision uint64) (*job.Job, error) {
	if len(data) < recordHead || string(data[:len(recordVersion)]) != recordVersion {
		return nil, fmt.Errorf("record %s is of no known form: %w", key, job.ErrDamaged)
	}
	body := data[recordHead:]
	if got, want := fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)), string(data[len(recordVersion):recordHead-1]); got != want {
		return nil, fmt.Errorf("record %s has checksum %s and says %s: %w", key, got, want, job.ErrDamaged)
	}
	j := new(job.Job)
	if err := json.Unmarshal(body, j); err != nil {
		return nil, fmt.Errorf("record %s: %w: %w", key, err, job.ErrDamaged)
	}
	j.Revision = revision
	return j, nil
}
