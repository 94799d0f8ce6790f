package job

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"strings"

	"edrpipe/pkg/edr"
)

// ID is the id of the job that a rule makes for an event on an endpoint. It is
// deterministic, so that a re-delivered event makes no second job, and safe in
// file names, subjects and keys.
func ID(rule, event string, endpoint edr.Endpoint) string {
	return Digest("job", rule, event, endpoint.Server, endpoint.ID)
}

// OldID is the id that versions before format 2 gave to the same job, or empty. An
// event that was recorded by such a version and is delivered again to this one must
// not make a second job.
func (j *Job) OldID() string {
	if j.Event == nil || j.ID != ID(j.Rule, j.Event.Event.ID, j.Endpoint) {
		return ""
	}
	if _, err := strconv.Atoi(j.Endpoint.ID); err != nil {
		return ""
	}
	return Digest("job", j.Rule, j.Event.Event.ID, j.Endpoint.ID)
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
