package job

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"strings"
)

// ID is the id of the job that a rule makes for an event on a sensor. It is
// deterministic, so that a re-delivered event makes no second job, and safe in
// file names, subjects and keys.
func ID(rule, event string, sensor int) string {
	return Digest("job", rule, event, strconv.Itoa(sensor))
}

// NewID is the id of a job that a person submits: unique by chance.
func NewID() string {
	var b [15]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// Digest hashes parts so that no two lists of parts read the same.
func Digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
