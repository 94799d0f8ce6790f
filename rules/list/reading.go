package list

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Reading is what a text from elsewhere has for a list of a kind. Unlike Parse, it
// leaves out what Elsewhere does: its author is not the reader's.
type Reading struct {
	Values []string // in normal form
	Left   int      // how many were left out
	First  string   // why the first of these was; "" where Left is 0
}

// Normal returns a value in the normal form of a kind, and whether it can be one of it.
func Normal(kind Kind, value string) (string, bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return "", false
	}
	normal, wrong := normalFor(kind, value)
	return normal, wrong.message == ""
}

// ReadText reads one value a line, as Parse does. Declarations in comments are not
// followed. The error is that of data which is not text.
func ReadText(name string, kind Kind, data []byte) (Reading, error) {
	p, _, err := newReading(name, kind, data)
	if err != nil {
		return Reading{}, err
	}
	p.values()
	return p.reading(), nil
}

// ReadColumn reads a column of CSV. A name, or "" for what Parse would choose, needs a
// first line with names; a number from 1 means that every line has values. The error is
// that of data which is not CSV to its end, or has no such column.
func ReadColumn(name string, kind Kind, column string, data []byte) (Reading, error) {
	p, text, err := newReading(name, kind, data)
	if err != nil {
		return Reading{}, err
	}
	if n, err := strconv.Atoi(column); err == nil && n > 0 {
		p.numbered(text, n-1)
	} else {
		p.column = column
		p.table(text)
	}
	if p.broken || len(p.entries) == 0 && len(p.problems) > 0 {
		return Reading{}, p.problems[:1]
	}
	return p.reading(), nil
}

func newReading(name string, kind Kind, data []byte) (p *parser, text string, err error) {
	p = &parser{name: name, kind: kind}
	text, ok := p.decode(data)
	if !ok {
		return nil, "", p.problems[:1]
	}
	p.lines = strings.Split(text, "\n")
	return p, text, nil
}

// numbered takes a column of CSV without names, counted from 0.
func (p *parser) numbered(text string, n int) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comment, r.TrimLeadingSpace, r.FieldsPerRecord = '#', true, -1
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			p.tableError(err)
			return
		}
		line, _ := r.FieldPos(0)
		if n >= len(record) {
			p.report(line, 1, 1, fmt.Sprintf("the line has no column %d", n+1), "")
			continue
		}
		if value := strings.TrimSpace(record[n]); value != "" {
			p.entries = append(p.entries, entry{text: value, line: line})
		}
	}
}

func (p *parser) reading() Reading {
	r := Reading{Left: p.wrong}
	if p.wrong > 0 {
		r.First = fmt.Sprintf("line %d: %s", p.problems[0].Line, p.problems[0].Message)
	}
	for _, e := range p.entries {
		normal, reason := Elsewhere(p.kind, e.text)
		if reason == "" {
			r.Values = append(r.Values, normal)
			continue
		}
		r.Left++
		if r.First == "" {
			r.First = fmt.Sprintf("line %d: %s", e.line, reason)
		}
	}
	return r
}
