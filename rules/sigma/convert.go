package sigma

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// File is a file of Sigma rules.
type File struct {
	Name string // becomes the rules' id
	Data []byte
}

// Options of a conversion.
type Options struct {
	// Narrower leaves out alternatives that cannot be said, where the rule then matches
	// less and never more. It is noted in the rule.
	Narrower bool
}

// Result is what became of one Sigma rule: Rule, or Err.
type Result struct {
	File  int // index of its file
	Title string
	Rule  *Rule
	Err   error // *Refusal
}

// Origin is what a rule says of where it comes from.
type Origin struct {
	ID       string   `yaml:"id,omitempty"` // UUID
	Status   string   `yaml:"status,omitempty"`
	Date     string   `yaml:"date,omitempty"`
	Modified string   `yaml:"modified,omitempty"`
	Digest   string   `yaml:"digest"`             // of the file
	When     string   `yaml:"when"`               // digest of the condition, to find what was added to it
	Narrower []string `yaml:"narrower,omitempty"` // what was left out
}

// converted is a document of a file and what becomes of it.
type converted struct {
	doc    *document
	file   int
	digest string
	id     string
	narrow bool
	source *source
	rule   *Rule
	err    error
}

func (c *converted) origin() *Origin {
	return &Origin{ID: c.doc.ID, Status: c.doc.Status, Date: c.doc.Date, Modified: c.doc.Modified, Digest: c.digest}
}

// Convert converts every rule of a Sigma file. name becomes the rules' id.
func Convert(name string, data []byte) []Result {
	return ConvertAll([]File{{name, data}}, Options{})
}

// ConvertAll converts every rule of the files. For each document there is one result: a
// Rule or an error of type *Refusal. A correlation may name rules of any of the files.
func ConvertAll(files []File, o Options) []Result {
	var results []Result
	var all []converted
	used := map[string]int{}
	for i, f := range files {
		docs, refused := documents(f.Data)
		for n := range docs {
			id := slug(f.Name)
			if n > 0 {
				id = fmt.Sprintf("%s-%d", id, n+1)
			}
			if used[id]++; used[id] > 1 { // files of one name in several directories
				id = fmt.Sprintf("%s-again-%d", id, used[id])
			}
			results = append(results, Result{File: i, Title: docs[n].Title})
			all = append(all, converted{doc: &docs[n], file: i, digest: digest(f.Data), id: id, narrow: o.Narrower})
		}
		if refused != nil {
			results = append(results, Result{File: i})
			all = append(all, converted{doc: &document{}, file: i, err: refused})
		}
	}
	for i := range all {
		if c := &all[i]; c.err == nil && c.doc.Correlation.IsZero() {
			c.convert()
		}
	}
	for i := range all {
		c := &all[i]
		if !c.doc.Correlation.IsZero() {
			c.correlate(all)
		}
		if c.rule != nil {
			c.rule.Source.When = digest([]byte(c.rule.When))
		}
		results[i].Rule, results[i].Err = c.rule, c.err
	}
	return results
}

// documents are those of a file, up to one that cannot be read: the rest cannot be found.
func documents(data []byte) (docs []document, refused error) {
	for in := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc document
		switch err := in.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return docs, &Refusal{Reason: "not a Sigma rule: " + strings.TrimPrefix(err.Error(), "yaml: ")}
		}
		docs = append(docs, doc)
	}
}

func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }
