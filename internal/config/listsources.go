package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
	"gopkg.in/yaml.v3"

	"edrpipe/pkg/strictyaml"
)

// ListSource is one entry of list_sources: where a list of the rules gets more values.
type ListSource struct {
	Name     string        `yaml:"name,required" doc:"of the list beside the rules, whose type it gives: lists/NAME.txt or lists/NAME.csv"`
	URL      string        `yaml:"url,required" doc:"where the values are; http:// only to loopback, and only where egress lets it through"`
	Format   string        `yaml:"format" enum:"text,csv,stix" doc:"text with one value a line, csv, or stix: a STIX 2.1 bundle; default text"`
	Column   string        `yaml:"column" doc:"for csv: the column with the values, its name, or its number where there is no line of names"`
	Every    time.Duration `yaml:"every" doc:"between two requests; default 1h, at least 1m"`
	MaxAge   time.Duration `yaml:"max_age" doc:"how long the values are in force that the server no longer confirms; default 0s: without end"`
	Checksum string        `yaml:"checksum_url" doc:"file with the SHA-256 of the content, as sha256sum writes it; empty: it is not compared"`
	MaxBytes int           `yaml:"max_bytes" min:"1" max:"268435456" doc:"size of the content, decompressed; a larger one is refused; default 8388608"`
	Entries  int           `yaml:"max_entries" min:"1" max:"2000000" doc:"how many values the content may have; one with more is refused; default 200000"`
	Token    string        `yaml:"token_file" doc:"file with a bearer token" secret:"file"`
}

func defaultListSource() ListSource {
	return ListSource{Format: "text", Every: time.Hour, MaxBytes: 8 << 20, Entries: 200_000}
}

// DecodeYAML implements strictyaml.Custom.
func (l *ListSource) DecodeYAML(d *strictyaml.Decoder, n *yaml.Node, path strictyaml.Path) {
	type plain ListSource
	p := plain(defaultListSource())
	d.Value(n, path, &p)
	*l = ListSource(p)
}

// listName is a name that is the same as a file's on every system.
var listName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// check finds what cannot work.
func (l ListSource) check(bad func(key, format string, args ...any)) {
	if !listName.MatchString(l.Name) {
		bad("name", "%q is no name of a list: letters, digits, _, - and dots", l.Name)
	}
	for key, address := range map[string]string{"url": l.URL, "checksum_url": l.Checksum} {
		switch {
		case address == "" && key == "checksum_url":
		case !strings.HasPrefix(address, "https://") && !(strings.HasPrefix(address, "http://") && loopback(address)):
			bad(key, "%q could be changed on its way: write https://host", address)
		case secretInAddress(address):
			bad(key, "logs would show the secret in this address: write it without, and name a file that holds it (token_file)")
		}
	}
	if formats := []string{"text", "csv", "stix"}; !slices.Contains(formats, l.Format) {
		bad("format", "%q is not one of %s", l.Format, strings.Join(formats, ", "))
	}
	if l.Column != "" && l.Format != "csv" {
		bad("column", "is for the format csv: remove it, or write format: csv")
	}
	if l.Every < time.Minute {
		bad("every", "%s is too often: at least 1m", l.Every)
	}
	if l.MaxAge != 0 && l.MaxAge < 2*l.Every {
		bad("max_age", "%s would end the values before a second request (every is %s): at least twice as long, or 0s", l.MaxAge, l.Every)
	}
}

// checkListSources finds what cannot work in the list of sources.
func (c Config) checkListSources(bad func(path, format string, args ...any)) {
	names := map[string]bool{}
	for i, l := range c.ListSources {
		prefix := fmt.Sprintf("list_sources[%d].", i)
		l.check(func(key, format string, args ...any) { bad(prefix+key, format, args...) })
		if word := strings.ToLower(l.Name); names[word] {
			bad(prefix+"name", "%q has another source, too: a list has one", l.Name)
		} else {
			names[word] = true
		}
	}
}

// exampleListSources is the part of the example about sources of lists, as a comment.
func exampleListSources() string {
	l := defaultListSource()
	l.Name, l.URL = "bad-domains", "https://intelligence.example/domains.txt"
	var b strings.Builder
	b.WriteString("# Where lists of the rules get more values.\nlist_sources:\n")
	writeEntry(&b, "one entry for each list", entriesOf(reflect.ValueOf(&l).Elem(), ""), func(e entry) string { return "  # " + e.Doc })
	return "# " + strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\n", "\n# ") + "\n"
}

// printListSources writes the entries as they would be in a file.
func printListSources(sources []ListSource, origins Origins) string {
	if len(sources) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("list_sources:\n")
	for i := range sources {
		writeEntry(&b, origins[fmt.Sprintf("list_sources[%d]", i)], entriesOf(reflect.ValueOf(&sources[i]).Elem(), ""), func(entry) string { return "" })
	}
	return b.String()
}

// listSourcesSchema is the JSON Schema of the list.
func listSourcesSchema() *jsonschema.Schema {
	form := object("list source")
	l := defaultListSource()
	for _, e := range entriesOf(reflect.ValueOf(&l).Elem(), "") {
		form.Properties.Set(e.Path, e.schema())
	}
	form.Required = []string{"name", "url"}
	return &jsonschema.Schema{Type: "array", Description: "where lists of the rules get more values", Items: form}
}
