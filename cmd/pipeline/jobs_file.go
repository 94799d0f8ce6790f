package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"edrpipe/internal/web"
	"edrpipe/pkg/strictyaml"
)

// placedSubmission is a submission with where it was written.
type placedSubmission struct {
	web.Submission
	place string // jobs.ndjson:3
}

// readSubmissions reads a file with one job a line. The error tells every line
// that is wrong, and all that is wrong with it.
func readSubmissions(name string, in io.Reader) ([]placedSubmission, error) {
	var list []placedSubmission
	var wrong []error
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 4<<20)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(bytes.TrimPrefix(lines.Bytes(), []byte("\uFEFF")))
		if len(line) == 0 {
			continue
		}
		r := placedSubmission{place: fmt.Sprintf("%s:%d", name, n)}
		err := decodeSubmission(line, &r.Submission)
		if err == nil {
			err = r.Check(time.Now())
		}
		for _, problem := range parts(err) {
			wrong = append(wrong, fmt.Errorf("%s: %w", r.place, problem))
		}
		list = append(list, r)
	}
	if err := lines.Err(); err != nil {
		wrong = append(wrong, fmt.Errorf("%s:%d: %w", name, n+1, err))
	}
	if len(wrong) > 0 {
		return nil, errors.Join(append(wrong, errors.New("nothing was submitted"))...)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no job", name)
	}
	return list, nil
}

// parts are the errors that were joined to one.
func parts(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// decodeSubmission reads one line strictly. Durations may be text, as in rules.
func decodeSubmission(line []byte, r *web.Submission) error {
	var written map[string]any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&written); err != nil {
		return fmt.Errorf("not a job as JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more on the line than one job")
	}
	if err := spellOut(written["steps"]); err != nil {
		return err
	}
	plain, err := json.Marshal(written)
	if err != nil {
		return err
	}
	strict := json.NewDecoder(bytes.NewReader(plain))
	strict.DisallowUnknownFields()
	return strict.Decode(r)
}

// durations are the keys of a step whose values are durations.
var durations = map[string]bool{"timeout": true, "undo_after": true, "within": true, "backoff": true}

// spellOut turns the durations of steps, of those inside parallel, and of what
// stands in their retry and approval, into numbers.
func spellOut(v any) error {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if err := spellOut(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, value := range v {
			text, ok := value.(string)
			switch {
			case ok && durations[key]:
				d, err := strictyaml.ParseDuration(text)
				if err != nil {
					return fmt.Errorf("%s: %w: write 90s, 15m, 4h or 7d", key, err)
				}
				v[key] = d
			case key == "retry" || key == "approval" || key == "parallel":
				if err := spellOut(value); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
