package list

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"edrpipe/internal/nearest"
	"edrpipe/pkg/strictyaml"
)

// maxProblems bounds how many entries of one file are complained of.
const maxProblems = 20

// Parse reads a list from the contents of a .txt or .csv file. It is nil when there
// are problems.
func Parse(name string, data []byte) (*List, strictyaml.Problems) {
	p := &parser{name: name}
	text, ok := p.decode(data)
	if !ok {
		return nil, p.problems
	}
	p.lines = strings.Split(text, "\n")
	p.directives()
	if strings.EqualFold(filepath.Ext(name), ".csv") {
		p.table(text)
	} else {
		p.values()
	}
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return p.list()
}

type parser struct {
	name     string
	lines    []string
	kind     Kind   // declared by the file; empty: inferred from the entries
	column   string // of a CSV file, declared by the file
	mayEmpty bool
	entries  []entry
	problems strictyaml.Problems
	wrong    int  // how often was reported, also beyond maxProblems
	broken   bool // the table could not be read to its end
}

// report places a problem in a line; column and length are in characters, from 1.
func (p *parser) report(line, column, length int, message, hint string) {
	p.wrong++
	if len(p.problems) > maxProblems {
		return
	}
	source := ""
	if line >= 1 && line <= len(p.lines) {
		source = strings.TrimRight(p.lines[line-1], "\r")
	}
	p.problems = append(p.problems, strictyaml.Problem{
		File: p.name, Line: line, Column: column, Length: length, Message: message, Hint: hint, Source: source,
	})
}

// decode gives the text of UTF-8, with or without a byte order mark, and of UTF-16
// with one.
func (p *parser) decode(data []byte) (string, bool) {
	fail := func(at int, message, hint string) (string, bool) {
		p.problems = append(p.problems, atByte(p.name, data, at, message, hint))
		return "", false
	}
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return decodeUTF16(data[2:], binary.LittleEndian), true
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return decodeUTF16(data[2:], binary.BigEndian), true
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch {
	case bytes.IndexByte(data, 0) >= 0:
		return fail(bytes.IndexByte(data, 0), "the file has NULs: it is not text, or UTF-16 without its mark", "save it as UTF-8")
	case !utf8.Valid(data):
		return fail(invalidAt(data), "not UTF-8", "save the file as UTF-8")
	}
	return strings.ReplaceAll(string(data), "\r\n", "\n"), true
}

// atByte is a problem of the byte at an offset. What cannot be shown of its line is
// U+FFFD there.
func atByte(name string, data []byte, at int, message, hint string) strictyaml.Problem {
	from := bytes.LastIndexByte(data[:at], '\n') + 1
	to := len(data)
	if n := bytes.IndexByte(data[at:], '\n'); n >= 0 {
		to = at + n
	}
	source := strings.ReplaceAll(strings.ToValidUTF8(string(data[from:to]), "\uFFFD"), "\x00", "\uFFFD")
	return strictyaml.Problem{
		File: name, Line: 1 + bytes.Count(data[:from], []byte("\n")), Column: 1 + utf8.RuneCount(data[from:at]), Length: 1,
		Message: message, Hint: hint, Source: strings.TrimRight(source, "\r"),
	}
}

func invalidAt(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(data)
}

func decodeUTF16(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return strings.ReplaceAll(string(utf16.Decode(units)), "\r\n", "\n")
}

// directives reads the declarations in comments above the first value.
func (p *parser) directives() {
	for i, line := range p.lines {
		rest, comment := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !comment && strings.TrimSpace(line) != "" {
			return
		}
		key, value, found := strings.Cut(rest, ":")
		if !found {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "type":
			p.setKind(i+1, value)
		case "column":
			p.column = value
		case "empty":
			p.mayEmpty = value == "ok"
		}
	}
}

func (p *parser) setKind(line int, value string) {
	for _, k := range Kinds {
		if k == value {
			p.kind = Kind(k)
			return
		}
	}
	hint := "types are " + strings.Join(Kinds, ", ")
	if near := nearest.Word(value, Kinds); near != "" {
		hint = "did you mean " + near + "?"
	}
	at := 1 + utf8.RuneCountInString(p.lines[line-1][:strings.Index(p.lines[line-1], value)])
	p.report(line, at, max(1, utf8.RuneCountInString(value)), fmt.Sprintf("%q is no type of list", value), hint)
}

// values reads one value a line. A comment begins with # or ; and stands alone or
// after white space.
func (p *parser) values() {
	for i, line := range p.lines {
		text := uncommented(strings.TrimRight(line, "\r"))
		trimmed := strings.TrimSpace(text)
		if trimmed == "" {
			continue
		}
		start := 1 + utf8.RuneCountInString(text[:strings.Index(text, trimmed)])
		p.value(entry{trimmed, i + 1, start})
	}
}

func uncommented(line string) string {
	for i := range len(line) {
		if (line[i] == '#' || line[i] == ';') && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}

// value takes an entry, of a hosts file its name.
func (p *parser) value(e entry) {
	fields := strings.Fields(e.text)
	if len(fields) > 1 && isSinkhole(fields[0]) {
		for _, name := range fields[1:] {
			if name != "localhost" && name != fields[0] {
				at := e.column + utf8.RuneCountInString(e.text[:strings.LastIndex(e.text, name)])
				p.entries = append(p.entries, entry{name, e.line, at})
			}
		}
		if p.kind == "" {
			p.kind = Domain
		}
		return
	}
	if quote := e.text[0]; len(e.text) > 1 && (quote == '"' || quote == '\'') && e.text[len(e.text)-1] == quote {
		p.report(e.line, e.column, utf8.RuneCountInString(e.text), "a value stands without quotes", "")
		return
	}
	p.entries = append(p.entries, e)
}

// isSinkhole reports whether an address is one to which hosts files send names.
func isSinkhole(s string) bool {
	switch s {
	case "0.0.0.0", "127.0.0.1", "::", "::1":
		return true
	}
	return false
}

// list makes the list, or returns a problem for each invalid entry.
func (p *parser) list() (*List, strictyaml.Problems) {
	if len(p.entries) == 0 && !p.mayEmpty {
		return nil, strictyaml.Problems{{File: p.name, Message: "the list is empty", Hint: `"# empty: ok" at its top allows that`}}
	}
	kind := p.kind
	if kind == "" {
		kind = kindOf(p.entries)
	}
	var values []string
	for _, e := range p.entries {
		value, wrong := normalFor(kind, e.text)
		if wrong.message == "" {
			values = append(values, value)
			continue
		}
		hint := wrong.hint
		if p.kind == "" {
			hint = strings.TrimPrefix(hint+"; most entries here are of type "+string(kind), "; ")
		}
		p.report(e.line, e.column, utf8.RuneCountInString(e.text), wrong.message, hint)
	}
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return newList(kind, values), nil
}
