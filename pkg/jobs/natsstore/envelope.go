package natsstore

import (
	"fmt"
	"hash/crc32"

	"edrpipe/pkg/jobs/job"
)

// A record on the bus is sealed. Its content is its form and a space, the CRC-32C of what follows in hex, a space, and
// the job as JSON: readable with the bus's own tools, and any flipped bit shows.
// Form 2 is written; form 1, whose jobs have a server and the number of a sensor in
// place of an endpoint, is read for ever. A version that knows form 1 only refuses a
// record of form 2 and stops.
const (
	recordVersion = "2 "
	oldVersion    = "1 "
	recordHead    = len(recordVersion) + 8 + 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode returns the sealed record of a job for a bucket.
func (k *Store) encode(bucket string, j *job.Job) ([]byte, error) {
	data, err := encodeRecord(j)
	if err != nil {
		return nil, err
	}
	return k.seal.Seal(bucket, j.ID, data), nil
}

// decode opens a record. One that is not ours, or cannot be read, is ErrDamaged and a
// *seal.Foreign.
func (k *Store) decode(bucket, key string, record []byte, revision uint64) (*job.Job, error) {
	data, err := k.seal.Open(bucket, key, record, revision)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", job.ErrDamaged, err)
	}
	j, err := decodeRecord(key, data, revision)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", job.ErrDamaged, k.seal.Refuse(bucket, key, revision, err))
	}
	return j, nil
}

// Check returns why the content of a record is no job of that key.
func Check(key string, content []byte) error {
	_, err := decodeRecord(key, content, 0)
	return err
}

func encodeRecord(j *job.Job) ([]byte, error) {
	data, err := job.Encode(j)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("%s%08x ", recordVersion, crc32.Checksum(data, castagnoli))
	return append([]byte(head), data...), nil
}

func decodeRecord(key string, data []byte, revision uint64) (*job.Job, error) {
	if len(data) < recordHead || !knownVersion(data) {
		return nil, fmt.Errorf("record %s begins with %.8q, a form that this version of edrpipe does not know: %w", key, data, job.ErrDamaged)
	}
	body := data[recordHead:]
	if got, want := fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)), string(data[len(recordVersion):recordHead-1]); got != want {
		return nil, fmt.Errorf("record %s has checksum %s and says %s: %w", key, got, want, job.ErrDamaged)
	}
	j, err := job.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w: %w", key, err, job.ErrDamaged)
	}
	if j.ID != key {
		return nil, fmt.Errorf("record %s is of the job %q: %w", key, j.ID, job.ErrDamaged)
	}
	j.Revision = revision
	return j, nil
}

func knownVersion(data []byte) bool {
	version := string(data[:len(recordVersion)])
	return version == recordVersion || version == oldVersion
}
