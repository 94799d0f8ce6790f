package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/internal/printable"
)

// Entry is one decision or command.
type Entry struct {
	Seq    uint64          `json:"seq"`  // from 1, without gaps; set by the log
	Prev   string          `json:"prev"` // hash of the entry before; set by the log
	Time   time.Time       `json:"time"`
	Kind   string          `json:"kind"`         // match, verdict, command, step, job, approval, switch, login …
	By     string          `json:"by,omitempty"` // who: a person, or the part that decided
	Job    string          `json:"job,omitempty"`
	Step   string          `json:"step,omitempty"`
	Rule   string          `json:"rule,omitempty"`
	Digest string          `json:"digest,omitempty"` // of the rule
	Server string          `json:"server,omitempty"`
	Sensor looseid.ID      `json:"sensor,omitempty"` // a number in entries of before
	Action string          `json:"action,omitempty"`
	What   string          `json:"what,omitempty"`   // allow, deny, hold, shadow; succeeded …; the command's name
	Reason string          `json:"reason,omitempty"` // as in results and metrics
	Text   string          `json:"text,omitempty"`   // for people
	Data   json.RawMessage `json:"data,omitempty"`   // arguments, object of a command
}

// Limits of an entry, bytes. Of Data that is larger its size and digest are kept.
const (
	maxData = 64 << 10
	maxText = 8 << 10
)

// size is about how many bytes the entry takes in a block.
func (e Entry) size() int { return 1024 + min(len(e.Data), maxData) + 2*min(len(e.Text), maxText) }

// line is the entry as stored: its hash, a blank, its JSON.
func (e Entry) line(key []byte) (line []byte, hash string, err error) {
	if len(e.Data) > maxData {
		sum := sha256.Sum256(e.Data)
		e.Data = fmt.Appendf(nil, `{"left_out_bytes":%d,"sha256":"%x"}`, len(e.Data), sum)
	}
	if len(e.Text) > maxText {
		e.Text = strings.ToValidUTF8(e.Text[:maxText], "") + "…"
	}
	e.Time = e.Time.UTC()
	body, err := json.Marshal(e)
	if err != nil {
		return nil, "", fmt.Errorf("audit entry: %w", err)
	}
	hash = digest(key, body)
	return append([]byte(hash+" "), body...), hash, nil
}

// digest is the hash of a line's body, keyed where there is a key.
func digest(key, body []byte) string {
	if len(key) == 0 {
		sum := sha256.Sum256(body)
		return hex.EncodeToString(sum[:])
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// parse reads a line back. Its hash has been compared when it returns no error.
func parse(key, line []byte) (Entry, string, error) {
	hash, body, found := bytes.Cut(line, []byte(" "))
	if !found || len(hash) != hex.EncodedLen(sha256.Size) {
		return Entry{}, "", fmt.Errorf("not an audit entry")
	}
	if string(hash) != digest(key, body) {
		return Entry{}, "", fmt.Errorf("the entry does not fit its hash")
	}
	var e Entry
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return Entry{}, "", fmt.Errorf("not an audit entry: %w", err)
	}
	return e, string(hash), nil
}

// endpoint is the endpoint's text; entries of before the first server's name have the
// id alone.
func (e Entry) endpoint() string {
	if e.Server == "" || e.Sensor == "" {
		return string(e.Sensor)
	}
	return e.Server + "/" + string(e.Sensor)
}

// String is the entry for people, on one line.
func (e Entry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%6d %s %-8s", e.Seq, e.Time.UTC().Format("2006-01-02 15:04:05.000"), e.Kind)
	for _, part := range []struct{ name, value string }{
		{"", e.What}, {"", e.Action}, {"reason", e.Reason}, {"endpoint", e.endpoint()}, {"job", e.Job}, {"step", e.Step}, {"rule", e.Rule}, {"by", e.By},
	} {
		switch {
		case part.value == "":
		case part.name == "":
			b.WriteString(" " + printable.Line(part.value))
		default:
			b.WriteString(" " + part.name + "=" + printable.Line(part.value))
		}
	}
	if e.Text != "" {
		b.WriteString(": " + printable.Line(e.Text))
	}
	return b.String()
}
