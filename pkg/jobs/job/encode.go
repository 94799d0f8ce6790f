package job

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Encode encodes a record; more than MaxRecord bytes are ErrTooLarge. The characters
// & < > stay as they are: a record is no web page, and command lines are full of them.
func Encode(j *Job) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(j); err != nil {
		return nil, fmt.Errorf("encode job %s: %w", j.ID, err)
	}
	data := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if len(data) > MaxRecord {
		return nil, fmt.Errorf("job %s has %d bytes, the limit is %d: %w", j.ID, len(data), MaxRecord, ErrTooLarge)
	}
	return data, nil
}

// clips are the lengths to which texts of an event are cut, one after the other.
var clips = []int{4096, 1024, 256}

// fitting is what a record may have when its job is made: it grows with its steps.
const fitting = MaxRecord / 2

// Fit makes the record of a new job as small as it has to be, by cutting what it keeps
// of its event, and reports whether it has become so. Steps stay as they are: what a
// job does is never cut.
func Fit(j *Job) bool {
	whole := j.Event
	for i := -1; i < len(clips); i++ {
		if i >= 0 && whole != nil {
			j.Event, j.Clipped = whole.Clip(clips[i])
		}
		if data, err := Encode(j); err == nil && (i < 0 || len(data) <= fitting) {
			return true
		}
	}
	return false
}
