package endpoints

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"edrpipe/pkg/events"
	"edrpipe/pkg/strictyaml"
)

// MaxBytes is the size of the largest file that is read.
const MaxBytes = 256 << 20

// Read reads a file, as CSV where its name ends so. The error is of type
// strictyaml.Problems where the file has mistakes.
func Read(file string) (*Book, error) {
	if fi, err := os.Stat(file); err == nil && fi.Size() > MaxBytes {
		return nil, fmt.Errorf("%s has %d bytes, an endpoints file at most %d", file, fi.Size(), MaxBytes)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return Load(file, data)
}

// Load is Read of data that is there.
func Load(name string, data []byte) (*Book, error) {
	if strings.EqualFold(filepath.Ext(name), ".csv") {
		return loadCSV(name, data)
	}
	var file struct {
		Endpoints []entry `yaml:"endpoints,required"`
	}
	doc, err := strictyaml.Decode(name, data, &file)
	if doc == nil {
		return nil, err
	}
	var problems strictyaml.Problems
	errors.As(err, &problems)
	for i := range file.Endpoints {
		e, at := &file.Endpoints[i], strictyaml.Path("endpoints").Index(i)
		e.line = doc.Line(at)
		e.tells(func(key string) bool { return doc.Has(at.Key(key)) })
		misread := slices.ContainsFunc(problems, func(p strictyaml.Problem) bool { return strings.HasPrefix(string(p.Path), string(at)) })
		e.check(func(key string, n int, message, hint string) {
			if key == "" && misread {
				return // what is missing is probably what could not be read
			}
			place := at
			if key != "" {
				if place = at.Key(key); n >= 0 && doc.Has(place.Index(n)) {
					place = place.Index(n)
				}
			}
			p := doc.At(place, message)
			p.Hint = hint
			problems = append(problems, p)
		})
	}
	if err := problems.Sort().Err(); err != nil {
		return nil, err
	}
	return newBook(name, file.Endpoints), nil
}

func newBook(name string, entries []entry) *Book {
	b := &Book{Name: name, entries: entries}
	b.index()
	return b
}

// tells notes which facts the entry tells; has reports whether a key is given.
func (e *entry) tells(has func(key string) bool) {
	for key, fact := range map[string]events.Facts{
		"type": events.FactType, "criticality": events.FactCriticality, "tags": events.FactTags, "labels": events.FactLabels, "owner": events.FactLabels,
	} {
		if has(key) {
			e.says |= fact
		}
	}
	if e.Owner == "" {
		return
	}
	labels := map[string]string{ownerLabel: e.Owner}
	for name, value := range e.Labels {
		labels[name] = value
	}
	e.Labels = labels
}

// check reports what is wrong with an entry; n is the place in a key's list, or -1.
func (e *entry) check(bad func(key string, n int, message, hint string)) {
	if len(e.Host)+len(e.Address)+len(e.Group)+len(e.Server) == 0 {
		bad("", -1, "the entry does not say which endpoints it is about", `give host, address, group or server; host: "*" is all of them`)
	}
	if e.says == 0 {
		bad("", -1, "the entry says nothing of its endpoints", "give type, criticality, owner, tags or labels")
	}
	for i, host := range e.Host {
		switch _, err := path.Match(host, ""); {
		case strings.TrimSpace(host) == "":
			bad("host", i, "the name is empty", "")
		case err != nil:
			bad("host", i, fmt.Sprintf("%q is not a pattern", host), "write something like srv-*")
		case isNetwork(host):
			bad("host", i, fmt.Sprintf("%q is a network, and no host name", host), "write it as address")
		}
	}
	for i, text := range e.Address {
		prefixes, err := networks(text)
		if err != nil {
			bad("address", i, err.Error(), "write 10.1.2.3, 10.1.0.0/16 or 10.1.0.5-10.1.0.90")
		}
		e.prefixes = append(e.prefixes, prefixes...)
	}
	for key, list := range map[string][]string{"group": e.Group, "server": e.Server, "tags": e.Tags} {
		for i, text := range list {
			if strings.TrimSpace(text) == "" {
				bad(key, i, "the text is empty", "")
			}
		}
	}
	if label, given := e.Labels[ownerLabel]; given && e.Owner != "" && label != e.Owner {
		bad("labels", -1, "owner is given twice, and differs", "give it as owner")
	}
}

func isNetwork(text string) bool {
	_, err := netip.ParsePrefix(text)
	return err == nil
}
