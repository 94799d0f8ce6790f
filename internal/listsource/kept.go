package listsource

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"edrpipe/rules/list"
)

// kept is the last good list, as it stands in its file.
type kept struct {
	Origin    string    `json:"origin"` // URL, format and column: another origin is another list
	Kind      list.Kind `json:"kind"`
	ETag      string    `json:"etag,omitempty"`
	Modified  string    `json:"last_modified,omitempty"` // as the server wrote it
	Confirmed time.Time `json:"confirmed"`               // when the server last said that this is its list
	Left      int       `json:"left_out,omitempty"`
	First     string    `json:"first_left_out,omitempty"`
	Entries   []Entry   `json:"entries"`
}

// readKept reads a file of an origin. It is empty where there is none. Entries and
// conditions that would not be taken from the server are not taken from the file, which an
// earlier version may have written.
func readKept(file, origin string, most int) (kept, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return kept{}, nil
	}
	var k kept
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	if err == nil && k.Origin == origin && len(k.Entries) > most {
		err = fmt.Errorf("%w: %d, at most %d are taken", ErrTooMany, len(k.Entries), most)
	}
	if err != nil {
		return kept{}, fmt.Errorf("reading the kept list %s: %w", file, err)
	}
	if k.Origin != origin {
		return kept{}, nil
	}
	k.ETag, k.Modified = short(k.ETag), short(k.Modified)
	k.Entries = slices.DeleteFunc(k.Entries, func(e Entry) bool {
		normal, reason := list.Elsewhere(k.Kind, e.Value)
		return reason != "" || normal != e.Value
	})
	return k, nil
}

// write replaces the file as a whole.
func (k kept) write(file string) error {
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	part, err := os.CreateTemp(dir, ".part-*")
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	if err == nil {
		err = part.Sync()
	}
	err = errors.Join(err, part.Close())
	if err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return nil
}
