package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// String is the head as people note it: its number and its hash.
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, h.Hash) }

// ParseHead reads what String wrote.
func ParseHead(text string) (Head, error) {
	number, hash, ok := strings.Cut(strings.TrimSpace(text), ":")
	seq, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || seq == 0 || hash == "" {
		return Head{}, fmt.Errorf("%q is not the number and hash of an entry: want 123:ab45…", text)
	}
	return Head{Seq: seq, Hash: hash}, nil
}

// Heads is a file of heads, one a line, that lies elsewhere than the log. A log
// whose end was cut off, or that was exchanged for another one, does not have
// them: its own hashes cannot show that.
type Heads string

// maxHeads bounds the file: of more, every second one is kept, and the last.
const maxHeads = 4000

// Read gives the heads; a file that is not there has none. A line that a crash
// left half written is left out.
func (f Heads) Read() ([]Head, error) {
	data, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("noted heads of the audit log: %w", err)
	}
	var heads []Head
	lines := bytes.SplitAfter(data, []byte("\n"))
	for i, line := range lines {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		h, err := ParseHead(string(line))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", f, i+1, err)
		}
		heads = append(heads, h)
	}
	return heads, nil
}

// Note adds a head, unless it is the last one there.
func (f Heads) Note(h Head) error {
	heads, err := f.Read()
	if err != nil {
		return err
	}
	if n := len(heads); n > 0 && heads[n-1] == h {
		return nil
	}
	heads = append(heads, h)
	if len(heads) > maxHeads {
		heads = thinned(heads)
	}
	var text strings.Builder
	for _, h := range heads {
		text.WriteString(h.String() + "\n")
	}
	half := string(f) + ".new"
	if err := os.WriteFile(half, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("noted heads of the audit log: %w", err)
	}
	return os.Rename(half, string(f))
}

func thinned(heads []Head) []Head {
	var kept []Head
	for i, h := range heads {
		if i%2 == 0 || i == len(heads)-1 {
			kept = append(kept, h)
		}
	}
	return kept
}
