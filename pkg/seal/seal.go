// Package seal protects the records that replicas share on the bus: each carries a
// version, a checksum, and a MAC by a key that the bus does not have. A record that
// does not verify is foreign: it is never acted on.
//
// A sealed record is text and then the data, so that the bus's own tools can show it:
//
//	S1 KEYID CRC32C HMAC-SHA256 DATA
//
// The MAC covers the bucket and the key of the record, too: one that was copied to
// another place does not verify. It does not cover time: that a bus gives back an older
// record of the same place is noticed by what is in the record, if at all.
package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrForeign marks a record that does not verify.
var ErrForeign = errors.New("the record is not one of ours")

// Foreign is a record that does not verify. Whatever depends on it is held.
type Foreign struct {
	Bucket   string `json:"bucket"`
	Key      string `json:"key"`
	Revision uint64 `json:"revision"`
	Why      string `json:"why"`
}

func (f *Foreign) Error() string {
	return fmt.Sprintf("record %s of bucket %s is in quarantine, as %s: see pipeline state quarantine list", f.Key, f.Bucket, f.Why)
}

// Is makes a Foreign an ErrForeign.
func (f *Foreign) Is(target error) bool { return target == ErrForeign }

const (
	form    = "S1 "
	idAt    = len(form)
	sumAt   = idAt + 8 + 1
	macAt   = sumAt + 8 + 1
	dataAt  = macAt + 2*sha256.Size + 1
	minimum = 16 // bytes of a key
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Key seals records. The zero Key has no secret: its seals show damage only.
type Key struct {
	secret []byte
	id     string
}

// NewKey makes a key of a secret, which needs at least 16 bytes.
func NewKey(secret []byte) (Key, error) {
	if len(secret) < minimum {
		return Key{}, fmt.Errorf("the key has %d bytes: at least %d are needed", len(secret), minimum)
	}
	k := Key{secret: derive(secret, "records")}
	k.id = hex.EncodeToString(derive(secret, "id")[:4])
	return k, nil
}

// ID names the key without telling it.
func (k Key) ID() string {
	if k.id == "" {
		return "00000000"
	}
	return k.id
}

// Derive returns a key for another use of the same secret.
func Derive(secret []byte, use string) []byte { return derive(secret, use) }

func derive(secret []byte, use string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("edrpipe " + use))
	return mac.Sum(nil)
}

// Seal returns the sealed record for a place.
func (k Key) Seal(bucket, key string, data []byte) []byte {
	out := make([]byte, 0, dataAt+len(data))
	out = fmt.Appendf(out, "%s%s %08x %x ", form, k.ID(), crc32.Checksum(data, castagnoli), k.mac(bucket, key, data))
	return append(out, data...)
}

// Open returns the data of a sealed record that verifies, and else why it does not.
func (k Key) Open(bucket, key string, record []byte) (data []byte, why string) {
	if !Sealed(record) {
		return nil, "it has no seal"
	}
	data = record[dataAt:]
	if got, want := fmt.Sprintf("%08x", crc32.Checksum(data, castagnoli)), string(record[sumAt:macAt-1]); got != want {
		return nil, fmt.Sprintf("it is damaged: its checksum is %s and it says %s", got, printable(want))
	}
	if id := string(record[idAt : sumAt-1]); id != k.ID() {
		return nil, fmt.Sprintf("it is sealed with the key %s and this replica has %s", printable(id), k.ID())
	}
	mac, err := hex.DecodeString(string(record[macAt : dataAt-1]))
	if err != nil || !hmac.Equal(mac, k.mac(bucket, key, data)) {
		return nil, "its seal was not made with the key of this service for this place"
	}
	return data, ""
}

// Sealed reports whether a record has the form of a sealed one.
func Sealed(record []byte) bool {
	return len(record) >= dataAt && string(record[:idAt]) == form &&
		record[sumAt-1] == ' ' && record[macAt-1] == ' ' && record[dataAt-1] == ' '
}

// Content is the data of a record whoever sealed it, and a record without a seal as it
// is: for a person who decides what to do with it.
func Content(record []byte) []byte {
	if Sealed(record) {
		return record[dataAt:]
	}
	return record
}

func (k Key) mac(bucket, key string, data []byte) []byte {
	mac := hmac.New(sha256.New, k.secret)
	for _, part := range []string{form, bucket, key} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		mac.Write(n[:])
		mac.Write([]byte(part))
	}
	mac.Write(data)
	return mac.Sum(nil)
}

// printable keeps what somebody else wrote out of the log's control.
func printable(s string) string { return fmt.Sprintf("%.12q", s) }
