package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Limits of a file. They are far above what people write and far below what
// would hurt.
const (
	MaxBytes = 32 << 20 // of one file
	MaxDepth = 64       // of nesting
	maxAlias = 1 << 17  // values that aliases may add to those written
)

// File is a parsed YAML file: its documents and the text they came from.
type File struct {
	Name      string
	Documents []*Document // those with content; empty ones are left out

	text  []byte
	lines []int // offset of the first byte of each line
}

// Document is one YAML document of a file.
type Document struct {
	file *File
	root *yaml.Node
}

// Parse reads every document of a file without interpreting it. The problems
// are of syntax; with any, the file is nil.
func Parse(name string, data []byte) (*File, Problems) {
	if len(data) > MaxBytes {
		return nil, Problems{{File: name, Message: fmt.Sprintf("the file has %d MiB, the limit is %d", len(data)>>20, MaxBytes>>20)}}
	}
	data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	f := &File{Name: name, text: data, lines: lineStarts(data)}
	if p := f.checkText(); p != nil {
		return nil, p
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		err := decodeNode(dec, &n)
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return nil, Problems{f.syntaxProblem(err)}
		}
		if len(n.Content) == 1 && !isNull(n.Content[0]) {
			f.Documents = append(f.Documents, &Document{file: f, root: n.Content[0]})
		}
	}
}

// decodeNode turns a panic of the parser, which hostile text has been known to
// cause, into an error.
func decodeNode(dec *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	return dec.Decode(n)
}

// Decode reads the single document of a file into into, a pointer to a struct.
// The error, if any, is of type Problems. The document serves to place further
// problems; it is nil when the file could not be parsed or is empty.
func Decode(name string, data []byte, into any) (*Document, error) {
	f, problems := Parse(name, data)
	if len(problems) > 0 {
		return nil, problems
	}
	switch len(f.Documents) {
	case 0:
		return nil, Problems{{File: name, Message: "the file is empty"}}
	case 1:
	default:
		p := f.Documents[1].At("", "a second document begins here, but only one can be used")
		p.Hint = "remove the --- line"
		return f.Documents[0], Problems{p}
	}
	return f.Documents[0], f.Documents[0].Decode(into).Err()
}

// checkText refuses bytes that are not text, with their place.
func (f *File) checkText() Problems {
	rest := f.text
	for at := 0; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == 0 || r == utf8.RuneError && size == 1 {
			p := f.problemAt(at, 1, "this is not UTF-8 text")
			p.Hint = "is it really a YAML file, saved as UTF-8?"
			return Problems{p}
		}
		rest, at = rest[size:], at+size
	}
	return nil
}

// problemAt places a problem at a byte offset.
func (f *File) problemAt(offset, length int, message string) Problem {
	line := f.lineOf(offset)
	column := utf8.RuneCount(f.text[f.lines[line]:offset]) + 1
	return Problem{File: f.Name, Line: line + 1, Column: column, Length: length, Message: message, Source: f.line(line + 1)}
}

// line returns a line's text, counting from 1.
func (f *File) line(n int) string {
	if n < 1 || n > len(f.lines) {
		return ""
	}
	rest := f.text[f.lines[n-1]:]
	if i := bytes.IndexAny(rest, "\r\n"); i >= 0 {
		rest = rest[:i]
	}
	return string(rest)
}

// lineOf returns the line, from 0, that a byte offset lies in.
func (f *File) lineOf(offset int) int {
	low, high := 0, len(f.lines)
	for high-low > 1 {
		mid := (low + high) / 2
		if f.lines[mid] <= offset {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// offset turns a line and column, both from 1, into a byte offset.
func (f *File) offset(line, column int) int {
	if line < 1 || line > len(f.lines) {
		return len(f.text)
	}
	at := f.lines[line-1]
	for range column - 1 {
		if at >= len(f.text) {
			break
		}
		_, size := utf8.DecodeRune(f.text[at:])
		at += size
	}
	return at
}

func lineStarts(data []byte) []int {
	starts := []int{0}
	for i := 0; i < len(data); i++ {
		switch {
		case data[i] == '\n':
			starts = append(starts, i+1)
		case data[i] == '\r' && (i+1 == len(data) || data[i+1] != '\n'):
			starts = append(starts, i+1)
		}
	}
	return starts
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// Name is the file that the document is in.
func (d *Document) Name() string { return d.file.Name }

// Line is where the value at path begins, from 1; of a path that the document
// does not have, where its nearest part begins.
func (d *Document) Line(path Path) int {
	_, value, _ := find(d.root, path)
	return value.Line
}

// Has reports whether the document has a value at path.
func (d *Document) Has(path Path) bool {
	_, _, whole := find(d.root, path)
	return whole
}

// Keys lists the keys of the mapping at path in the order written.
func (d *Document) Keys(path Path) []string {
	_, value, whole := find(d.root, path)
	value = resolve(value)
	if !whole || value.Kind != yaml.MappingNode {
		return nil
	}
	var keys []string
	for i := 0; i+1 < len(value.Content); i += 2 {
		keys = append(keys, value.Content[i].Value)
	}
	return keys
}

// At is a problem with the value at path; of a path that the document does not
// have, with its nearest part.
func (d *Document) At(path Path, message string) Problem {
	_, value, _ := find(d.root, path)
	return d.at(value, path, message)
}

// AtKey is a problem with the key that the value at path stands under.
func (d *Document) AtKey(path Path, message string) Problem {
	key, value, whole := find(d.root, path)
	if whole && key != nil {
		value = key
	}
	return d.at(value, path, message)
}

func (d *Document) at(n *yaml.Node, path Path, message string) Problem {
	length := 1
	if n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && !strings.Contains(n.Value, "\n") {
		length = utf8.RuneCountInString(n.Value)
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			length += 2
		}
	}
	return Problem{
		File: d.file.Name, Line: n.Line, Column: n.Column, Length: max(1, length),
		Path: path, Message: message, Source: d.file.line(n.Line),
	}
}
