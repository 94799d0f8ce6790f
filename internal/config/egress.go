package config

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
)

// Egress bounds where the actions http and notify may send, and where lists come from.
type Egress struct {
	Hosts    []string `yaml:"hosts" doc:"hosts that http and notify may send to, and lists come from (hooks.slack.com, *.example.com); empty: any"`
	Networks []string `yaml:"networks" doc:"private networks that http, notify and list_sources may reach (10.1.0.0/16); other private, link-local and metadata addresses are refused"`
	Proxy    string   `yaml:"proxy" doc:"HTTP proxy for http, notify and list_sources; needs egress.hosts, as the proxy resolves the names; proxies of the environment are not used"`
}

// Prefixes are the networks. A single address is a network of one.
func (e Egress) Prefixes() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range e.Networks {
		p, err := netip.ParsePrefix(text)
		if a, aerr := netip.ParseAddr(text); err != nil && aerr == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no network: write 10.1.0.0/16", text)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

func (e Egress) check(bad func(path, format string, args ...any)) {
	checkHosts("egress.hosts", e.Hosts, bad)
	if _, err := e.Prefixes(); err != nil {
		bad("egress.networks", "%v", err)
	}
	if e.Proxy == "" {
		return
	}
	if u, err := url.Parse(e.Proxy); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		bad("egress.proxy", "%q is not of the form http://host:3128", e.Proxy)
	}
	if len(e.Hosts) == 0 {
		bad("egress.proxy", "needs egress.hosts: the proxy resolves the names, so the addresses cannot be checked here")
	}
}

// Secret says where a secret of rules may go.
type Secret struct {
	Hosts []string `yaml:"hosts" doc:"hosts that the secret may be sent to"`
}

// Secrets are where the secrets of rules may go, by their names.
type Secrets map[string]Secret

func (s Secrets) check(bad func(path, format string, args ...any)) {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		path := "secrets." + name
		if len(s[name].Hosts) == 0 {
			bad(path, "names no hosts: the secret could be sent nowhere")
		}
		checkHosts(path+".hosts", s[name].Hosts, bad)
	}
}

func checkHosts(path string, hosts []string, bad func(path, format string, args ...any)) {
	for _, h := range hosts {
		name := strings.TrimPrefix(h, "*.")
		if _, err := netip.ParseAddr(h); err != nil && (name == "" || strings.ContainsAny(name, "*/:@ \t")) {
			bad(path, "%q is no host: a name, *.name or an address, without scheme, port and path", h)
		}
	}
}

// print returns them as they would be in a file.
func (s Secrets) print() string {
	if len(s) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("secrets:\n")
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "  %s: {hosts: %s}\n", writeText(name), writeValue(s[name].Hosts))
	}
	return b.String()
}

const exampleSecrets = "# Hosts to which a secret of rules may be sent, by the name that rules have for it.\n# secrets:\n#   slack: {hosts: [hooks.slack.com]}\n"

func secretsSchema() *jsonschema.Schema {
	entry := object("")
	entry.Properties.Set("hosts", &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}, Description: "hosts that the secret may be sent to"})
	entry.Required = []string{"hosts"}
	return &jsonschema.Schema{Type: "object", Description: "where secrets of rules may go, by their names", PatternProperties: map[string]*jsonschema.Schema{".": entry}, AdditionalProperties: jsonschema.FalseSchema}
}
