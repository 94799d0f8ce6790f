package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
	"gopkg.in/yaml.v3"

	"edrpipe/pkg/strictyaml"
)

// Output is one entry of outputs: a place to which results and decisions are forwarded.
type Output struct {
	Name      string   `yaml:"name,required" doc:"of its cursor on the bus, its check and its log lines; another name begins at the oldest message"`
	Kind      string   `yaml:"kind,required" enum:"http,syslog,file,s3" doc:"http, syslog, file or s3"`
	Format    string   `yaml:"format" enum:"cloudevents,ocsf" doc:"cloudevents, as on the bus, or ocsf; default cloudevents"`
	Only      []string `yaml:"only" doc:"what is forwarded: results, decisions, published; default results and decisions"`
	Rules     []string `yaml:"rules" doc:"ids of the rules whose messages are forwarded; default all"`
	URL       string   `yaml:"url" doc:"for http: where batches are posted as a JSON array; http:// only to loopback"`
	Token     string   `yaml:"token_file" doc:"for http: file with a bearer token" secret:"file"`
	CA        string   `yaml:"ca" doc:"for http and syslog: certificates to trust"`
	Address   string   `yaml:"address" doc:"for syslog: host:port, RFC 5424 over TCP"`
	TLS       bool     `yaml:"tls" doc:"for syslog: over TLS; needed where the address is not loopback"`
	Path      string   `yaml:"path" doc:"for file: where lines are appended"`
	Endpoint  string   `yaml:"endpoint" doc:"for s3: https://host of the storage; http:// only to loopback"`
	Region    string   `yaml:"region" doc:"for s3: of the bucket; empty: the storage says"`
	Bucket    string   `yaml:"bucket" doc:"for s3: the bucket"`
	Prefix    string   `yaml:"prefix" doc:"for s3: of the objects' names"`
	AccessKey string   `yaml:"access_key_file" doc:"for s3: file with the access key" secret:"file"`
	SecretKey string   `yaml:"secret_key_file" doc:"for s3: file with the secret key" secret:"file"`
}

func defaultOutput() Output {
	return Output{Format: "cloudevents", Only: []string{"results", "decisions"}}
}

// DecodeYAML implements strictyaml.Custom.
func (o *Output) DecodeYAML(d *strictyaml.Decoder, n *yaml.Node, path strictyaml.Path) {
	type plain Output
	p := plain(defaultOutput())
	d.Value(n, path, &p)
	*o = Output(p)
}

// outputKeys are the keys that each kind needs, and others that it has.
var outputKeys = map[string]struct{ needs, has []string }{
	"http":   {[]string{"url"}, []string{"token_file", "ca"}},
	"syslog": {[]string{"address"}, []string{"tls", "ca"}},
	"file":   {[]string{"path"}, nil},
	"s3":     {[]string{"endpoint", "bucket"}, []string{"region", "prefix", "access_key_file", "secret_key_file"}},
}

// forwarded are the words of only.
var forwarded = []string{"results", "decisions", "published"}

// check finds what cannot work.
func (o Output) check(bad func(key, format string, args ...any)) {
	keys, known := outputKeys[o.Kind]
	if !known {
		return // its enum says so
	}
	own := slices.Concat([]string{"name", "kind", "format", "only", "rules"}, keys.needs, keys.has)
	for _, e := range entriesOf(reflect.ValueOf(&o).Elem(), "") {
		set := !e.value.IsZero()
		switch {
		case !set && slices.Contains(keys.needs, e.Path):
			bad(e.Path, "an output of kind %s needs it", o.Kind)
		case set && !slices.Contains(own, e.Path):
			bad(e.Path, "an output of kind %s has no such key: remove it", o.Kind)
		case e.Choice != nil && !slices.Contains(e.Choice, e.value.String()):
			bad(e.Path, "%q is not one of %s", e.value.String(), strings.Join(e.Choice, ", "))
		}
	}
	for _, what := range o.Only {
		if !slices.Contains(forwarded, what) {
			bad("only", "%q is none of %s", what, strings.Join(forwarded, ", "))
		}
	}
	for key, address := range map[string]string{"url": o.URL, "endpoint": o.Endpoint} {
		if address != "" && !strings.HasPrefix(address, "https://") && !(strings.HasPrefix(address, "http://") && loopback(address)) {
			bad(key, "%q would carry results in clear text: write https://host", address)
		}
	}
	if o.Address != "" && !o.TLS && !loopback(o.Address) {
		bad("tls", "%s would get results in clear text: write tls: true", o.Address)
	}
	if (o.AccessKey == "") != (o.SecretKey == "") {
		bad("access_key_file", "and secret_key_file belong together")
	}
}

// checkOutputs finds what cannot work in the list of outputs.
func (c Config) checkOutputs(bad func(path, format string, args ...any)) {
	names := map[string]bool{}
	for i, o := range c.Outputs {
		prefix := fmt.Sprintf("outputs[%d].", i)
		o.check(func(key, format string, args ...any) { bad(prefix+key, format, args...) })
		if word := subjectWord(o.Name); names[word] {
			bad(prefix+"name", "%q is the name of another output, too", o.Name)
		} else {
			names[word] = true
		}
	}
}

// exampleOutputs is the part of the example about outputs, as a comment.
func exampleOutputs() string {
	o := defaultOutput()
	o.Name, o.Kind, o.URL = "siem", "http", "https://collector.example/events"
	var b strings.Builder
	b.WriteString("# Where results and decisions are forwarded, besides the bus.\noutputs:\n")
	writeEntry(&b, "one entry for each place", entriesOf(reflect.ValueOf(&o).Elem(), ""), func(e entry) string { return "  # " + e.Doc })
	return "# " + strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\n", "\n# ") + "\n"
}

// printOutputs writes the entries as they would be in a file.
func printOutputs(outputs []Output, origins Origins) string {
	if len(outputs) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("outputs:\n")
	for i := range outputs {
		writeEntry(&b, origins[fmt.Sprintf("outputs[%d]", i)], entriesOf(reflect.ValueOf(&outputs[i]).Elem(), ""), func(entry) string { return "" })
	}
	return b.String()
}

// outputsSchema is the JSON Schema of the list.
func outputsSchema() *jsonschema.Schema {
	form := object("output")
	o := defaultOutput()
	for _, e := range entriesOf(reflect.ValueOf(&o).Elem(), "") {
		form.Properties.Set(e.Path, e.schema())
	}
	form.Required = []string{"name", "kind"}
	return &jsonschema.Schema{Type: "array", Description: "where results and decisions are forwarded, besides the bus", Items: form}
}
