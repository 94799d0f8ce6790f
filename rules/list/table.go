package list

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// valueColumns are the names of columns that hold the values, and the kind that their
// name says; empty: it is inferred.
var valueColumns = map[string]Kind{
	"value": "", "indicator": "", "ioc": "", "sha256": Hash, "md5": Hash, "hash": Hash,
	"ip": IP, "address": IP, "network": IP, "domain": Domain, "path": Path, "name": Text,
}

// table reads a CSV file with a line of column names at its top.
func (p *parser) table(text string) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comment, r.TrimLeadingSpace, r.FieldsPerRecord = '#', true, -1
	header, err := r.Read()
	if err != nil {
		p.tableError(err)
		return
	}
	line, _ := r.FieldPos(0)
	n := p.valueColumn(line, header)
	if n >= 0 && p.kind == "" {
		p.kind = valueColumns[columnName(header[n])]
	}
	for n >= 0 {
		record, err := r.Read()
		if err == io.EOF {
			return
		}
		if err != nil {
			p.tableError(err)
			return
		}
		if n >= len(record) {
			line, _ := r.FieldPos(0)
			p.report(line, 1, 1, "the line has no column "+header[n], "")
			continue
		}
		value := strings.TrimSpace(record[n])
		if value == "" {
			continue
		}
		line, column := r.FieldPos(n)
		p.entries = append(p.entries, entry{value, line, 1 + utf8.RuneCountInString(p.lines[line-1][:column-1])})
	}
}

func (p *parser) tableError(err error) {
	p.broken = true
	var bad *csv.ParseError
	switch {
	case err == io.EOF:
		p.report(1, 1, 1, "the file is empty", "its first line names the columns")
	case errors.As(err, &bad):
		p.report(bad.Line, bad.Column, 1, "this is not CSV: "+bad.Err.Error(), "")
	default:
		p.report(1, 1, 1, err.Error(), "")
	}
}

func columnName(written string) string { return strings.ToLower(strings.TrimSpace(written)) }

// valueColumn is the place of the column with the values; -1: it is not known which.
func (p *parser) valueColumn(line int, header []string) int {
	names := make([]string, len(header))
	for i, name := range header {
		names[i] = columnName(name)
	}
	if p.column != "" {
		if i := slices.Index(names, strings.ToLower(p.column)); i >= 0 {
			return i
		}
		p.report(line, 1, 1, "there is no column "+p.column, "columns are "+strings.Join(header, ", "))
		return -1
	}
	if len(header) == 1 {
		return 0
	}
	var found []int
	for i, name := range names {
		if _, known := valueColumns[name]; known {
			found = append(found, i)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	p.report(line, 1, utf8.RuneCountInString(p.lines[line-1]), "which column has the values is not said", `"# column: NAME" above this line says it`)
	return -1
}
