// Package attack has the ids of MITRE ATT&CK that this version knows, reads the tags of
// rules that name them, and counts what rules cover.
package attack

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed enterprise.txt
var enterprise string

// Matrix is a version of ATT&CK. It is not changed after Load.
type Matrix struct {
	Version    string
	Tactics    []Tactic // in the order of the matrix
	techniques map[string][]string
	became     map[string]string
}

// Tactic is a column of the matrix.
type Tactic struct {
	ID   string // TA0002
	Name string // execution
}

// Enterprise is the matrix that is part of the program.
var Enterprise = sync.OnceValue(func() *Matrix {
	m, err := read(enterprise)
	if err != nil {
		panic(err) // a test reads it
	}
	return m
})

// read reads the form of enterprise.txt.
func read(text string) (*Matrix, error) {
	m := &Matrix{techniques: map[string][]string{}, became: map[string]string{}}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if err := m.line(words); err != nil {
			return nil, fmt.Errorf("list of ATT&CK: %q: %w", strings.TrimSpace(line), err)
		}
	}
	return m, nil
}

func (m *Matrix) line(words []string) error {
	switch {
	case words[0] == "version" && len(words) == 2:
		m.Version = words[1]
	case words[0] == "tactic" && len(words) == 3:
		m.Tactics = append(m.Tactics, Tactic{words[1], words[2]})
	case words[0] == "was" && len(words) == 3:
		m.became[words[1]] = words[2]
	case len(words) == 2 || len(words) == 3:
		tactics := strings.Split(words[1], ",")
		m.techniques[words[0]] = tactics
		if len(words) == 3 {
			return m.parts(words[0], words[2], tactics)
		}
	default:
		return fmt.Errorf("%d words are none of the forms", len(words))
	}
	return nil
}

// parts adds the sub-techniques of a technique: 1-3,5.
func (m *Matrix) parts(id, numbers string, tactics []string) error {
	for span := range strings.SplitSeq(numbers, ",") {
		low, high, isSpan := strings.Cut(span, "-")
		if !isSpan {
			high = low
		}
		from, err := strconv.Atoi(low)
		if err != nil {
			return err
		}
		to, err := strconv.Atoi(high)
		if err != nil {
			return err
		}
		for n := from; n <= to; n++ {
			m.techniques[fmt.Sprintf("%s.%03d", id, n)] = tactics
		}
	}
	return nil
}

// Techniques are the ids of all techniques and sub-techniques, sorted.
func (m *Matrix) Techniques() []string {
	ids := make([]string, 0, len(m.techniques))
	for id := range m.techniques {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// prefix is what tags of ATT&CK begin with.
const prefix = "attack."

// Technique is the technique that a tag names: attack.t1059.001 is T1059.001. False:
// it names none, or one that the matrix does not have.
func (m *Matrix) Technique(tag string) (id string, ok bool) {
	rest, is := strings.CutPrefix(strings.ToLower(tag), prefix)
	id = strings.ToUpper(rest)
	_, known := m.techniques[id]
	return id, is && known
}

// Wrong reports whether a tag says that it is of ATT&CK and names neither a technique nor
// a tactic of the matrix; groups, campaigns and software are not looked up. instead is
// the tag to write, empty when there is none that is certain.
func (m *Matrix) Wrong(tag string) (instead string, wrong bool) {
	word, is := strings.CutPrefix(strings.ToLower(tag), prefix)
	if _, known := m.techniques[strings.ToUpper(word)]; !is || known || elsewhere(word) {
		return "", false
	}
	for _, t := range m.Tactics {
		if strings.ReplaceAll(word, "_", "-") == t.Name || word == strings.ToLower(t.ID) {
			return "", false
		}
	}
	id := strings.ToUpper(word)
	if now := m.became[id]; now != "" {
		return prefix + strings.ToLower(now), true
	}
	if of, _, is := strings.Cut(id, "."); is && m.techniques[of] != nil {
		return prefix + strings.ToLower(of), true
	}
	return "", true
}

// elsewhere is a group, a piece of software or a campaign: g0007, s0002, c0001.
func elsewhere(word string) bool {
	return len(word) == 5 && strings.ContainsRune("gsc", rune(word[0])) && strings.Trim(word[1:], "0123456789") == ""
}

// Tags are all tags that are right, as rules write them.
func (m *Matrix) Tags() []string {
	var tags []string
	for _, t := range m.Tactics {
		tags = append(tags, prefix+strings.ReplaceAll(t.Name, "-", "_"))
	}
	for _, id := range m.Techniques() {
		tags = append(tags, prefix+strings.ToLower(id))
	}
	return tags
}
