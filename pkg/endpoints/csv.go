package endpoints

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"edrpipe/internal/nearest"
	"edrpipe/pkg/strictyaml"
)

// columns are the names that the first line of a CSV file may have, besides labels.NAME.
var columns = []string{"host", "address", "group", "server", "type", "criticality", "owner", "tags"}

const labelColumn = "labels."

// table reads a CSV file. Several values in a field are separated by semicolons, in a
// file whose fields are, by vertical bars.
type table struct {
	name     string
	lines    []string
	between  string // of values in a field
	header   []string
	problems strictyaml.Problems
}

// maxProblems is how many are told of one file.
const maxProblems = 50

func loadCSV(name string, data []byte) (*Book, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	t := &table{name: name, lines: strings.Split(string(data), "\n"), between: ";"}
	r := csv.NewReader(bytes.NewReader(data))
	first, _, _ := strings.Cut(string(data), "\n")
	if strings.Count(first, ";") > strings.Count(first, ",") {
		r.Comma, t.between = ';', "|"
	}
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	var entries []entry
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			t.add(wrong.Line, wrong.Column, wrong.Err.Error(), "")
			break
		}
		if t.header == nil {
			if t.readHeader(r, slices.Clone(record)); len(t.problems) > 0 {
				break // what the fields mean is not known
			}
			continue
		}
		if e, ok := t.entry(r, record); ok {
			entries = append(entries, e)
		}
		if len(t.problems) >= maxProblems {
			break
		}
	}
	if t.header == nil {
		t.add(0, 0, "the file is empty", "its first line names the columns: "+strings.Join(columns, ", ")+", labels.NAME")
	}
	if err := t.problems.Sort().Err(); err != nil {
		return nil, err
	}
	return newBook(name, entries), nil
}

func (t *table) add(line, column int, message, hint string) {
	p := strictyaml.Problem{File: t.name, Line: line, Column: column, Message: message, Hint: hint}
	if line > 0 && line <= len(t.lines) {
		p.Source = strings.TrimSuffix(t.lines[line-1], "\r")
	}
	t.problems = append(t.problems, p)
}

func (t *table) readHeader(r *csv.Reader, record []string) {
	seen := map[string]bool{}
	for i := range record {
		line, column := r.FieldPos(i)
		name := strings.ToLower(strings.TrimSpace(record[i]))
		label, isLabel := strings.CutPrefix(name, labelColumn)
		switch {
		case seen[name]:
			t.add(line, column, fmt.Sprintf("the column %q is given twice", name), "")
		case isLabel && label != "", slices.Contains(columns, name):
		default:
			hint := fmt.Sprintf("known here: %s; for a label write %s%s", strings.Join(columns, ", "), labelColumn, name)
			if near := nearest.Word(name, columns); near != "" {
				hint = fmt.Sprintf("did you mean %q? for a label write %s%s", near, labelColumn, name)
			}
			t.add(line, column, fmt.Sprintf("unknown column %q", name), hint)
		}
		seen[name], record[i] = true, name
	}
	t.header = record
}

// entry reads one line; ok is false of one that has mistakes.
func (t *table) entry(r *csv.Reader, record []string) (e entry, ok bool) {
	before := len(t.problems)
	line, _ := r.FieldPos(0)
	e.line = line
	if len(record) != len(t.header) {
		t.add(line, 0, fmt.Sprintf("the line has %d fields, the first line %d", len(record), len(t.header)), "")
		return e, false
	}
	given, place := map[string]bool{}, map[string]int{}
	for i, name := range t.header {
		value := strings.TrimSpace(record[i])
		_, place[name] = r.FieldPos(i)
		if value == "" {
			continue // nothing is said
		}
		key, _, _ := strings.Cut(name, ".")
		given[key] = true
		t.set(&e, name, value, line, place[name])
	}
	if len(given) == 0 {
		return e, false
	}
	e.tells(func(key string) bool { return given[key] })
	e.check(func(key string, _ int, message, hint string) { t.add(line, place[key], message, hint) })
	return e, len(t.problems) == before
}

// set gives the entry one field.
func (t *table) set(e *entry, name, value string, line, column int) {
	switch name {
	case "host":
		e.Host = t.list(value)
	case "address":
		e.Address = t.list(value)
	case "group":
		e.Group = []string{strings.Clone(value)} // names of groups may have anything
	case "server":
		e.Server = t.list(value)
	case "owner":
		e.Owner = strings.Clone(value)
	case "tags":
		e.Tags = t.list(value)
	case "type":
		if e.Type = strings.ToLower(value); !slices.Contains(Types, e.Type) {
			hint := "write one of " + strings.Join(Types, ", ")
			if near := nearest.Word(e.Type, Types); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			t.add(line, column, fmt.Sprintf("%q is not a type", value), hint)
		}
	case "criticality":
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || !(n >= 0 && n <= 100) {
			t.add(line, column, fmt.Sprintf("%q is not a number from 0 to 100", value), "")
		}
		e.Criticality = n
	default:
		if e.Labels == nil {
			e.Labels = map[string]string{}
		}
		e.Labels[strings.TrimPrefix(name, labelColumn)] = strings.Clone(value)
	}
}

func (t *table) list(value string) []string {
	var all []string
	for _, part := range strings.Split(value, t.between) {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, strings.Clone(part))
		}
	}
	return all
}
