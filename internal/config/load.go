package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"

	"edrpipe/internal/nearest"
	"edrpipe/pkg/strictyaml"
)

// Origins tells where each key's value came from: default, file:line, the
// environment variable's name, or the flag's.
type Origins map[string]string

// DefaultFile is read when no file is named, if it is there.
const DefaultFile = "pipeline.yaml"

// Load puts defaults, the file, the environment and flags together, later ones
// winning. name "" means DefaultFile if there is one. environ is in the form of
// os.Environ; flags maps a key's path to its text. All mistakes are reported at
// once.
func Load(name string, environ []string, flags map[string]string) (Config, Origins, error) {
	c := Default()
	origins := Origins{}
	for _, k := range Keys() {
		origins[k.Path] = "default"
	}
	errs := []error{
		loadFile(name, &c, origins),
		loadEnvironment(environ, &c, origins),
		loadFlags(flags, &c, origins),
	}
	if err := errors.Join(errs...); err != nil {
		return c, origins, err
	}
	return c, origins, c.check(origins)
}

func loadFile(name string, c *Config, origins Origins) error {
	optional := name == ""
	if optional {
		name = DefaultFile
	}
	data, err := os.ReadFile(name)
	switch {
	case optional && errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("configuration: %w", err)
	}
	doc, err := strictyaml.Decode(name, data, c)
	if err != nil {
		return err
	}
	for list, n := range map[string]int{"servers": len(c.Servers), "outputs": len(c.Outputs), "list_sources": len(c.ListSources)} {
		for i := range n {
			entry := fmt.Sprintf("%s[%d]", list, i)
			origins[entry] = fmt.Sprintf("%s:%d", name, doc.Line(strictyaml.Path(entry)))
		}
	}
	for secret := range c.Secrets {
		for _, path := range []string{"secrets." + secret, "secrets." + secret + ".hosts"} {
			origins[path] = fmt.Sprintf("%s:%d", name, doc.Line(strictyaml.Path(path)))
		}
	}
	for _, k := range append(Keys(), Key{Path: "servers"}, Key{Path: "outputs"}, Key{Path: "list_sources"}) {
		if p := strictyaml.Path(k.Path); doc.Has(p) {
			origins[k.Path] = fmt.Sprintf("%s:%d", name, doc.Line(p))
		}
	}
	return nil
}

// envReserved are EDRPIPE_ variables of other commands than the service.
var envReserved = []string{"EDRPIPE_SIM_", "EDRPIPE_TEST_", "EDRPIPE_EDR_TOKEN=", "EDRPIPE_TOKEN=", "EDRPIPE_URL=", "EDRPIPE_CONFIG=", "EDRPIPE_SECRET_"}

func loadEnvironment(environ []string, c *Config, origins Origins) error {
	byEnv := map[string]Key{}
	for _, k := range Keys() {
		byEnv[k.Env()] = k
	}
	var errs []error
	for _, kv := range environ {
		name, text, _ := strings.Cut(kv, "=")
		k, known := byEnv[name]
		switch {
		case known:
			origins[k.Path] = "$" + name
			errs = append(errs, set(k, c, text, origins))
		case strings.HasPrefix(name, "EDRPIPE_") && !reserved(kv):
			errs = append(errs, fmt.Errorf("environment variable %s names no key%s", name, suggest(name, byEnv)))
		}
	}
	return errors.Join(errs...)
}

func reserved(kv string) bool {
	for _, p := range envReserved {
		if strings.HasPrefix(kv, p) {
			return true
		}
	}
	return false
}

func suggest(name string, byEnv map[string]Key) string {
	names := make([]string, 0, len(byEnv))
	for n := range byEnv {
		names = append(names, n)
	}
	sort.Strings(names)
	if s := nearest.Word(name, names); s != "" {
		return fmt.Sprintf(" (did you mean %s?)", s)
	}
	return ""
}

func loadFlags(flags map[string]string, c *Config, origins Origins) error {
	var errs []error
	for _, k := range Keys() {
		if text, ok := flags[k.Path]; ok {
			origins[k.Path] = "--" + k.Flag()
			errs = append(errs, set(k, c, text, origins))
		}
	}
	return errors.Join(errs...)
}

// set parses text into a key; a mistake is told with where it was made.
func set(k Key, c *Config, text string, origins Origins) error {
	if err := k.Set(c, text); err != nil {
		return fmt.Errorf("%s (from %s): %w", k.Path, origins[k.Path], err)
	}
	return nil
}

// hours are those of a day in which something holds.
var hours = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$`)

// check finds values that cannot work, each with where it was set.
func (c Config) check(origins Origins) error {
	var errs []error
	bad := func(path, format string, args ...any) {
		from := origins[path]
		if entry, _, ok := strings.Cut(path, "]."); ok {
			from = origins[entry+"]"]
		}
		errs = append(errs, fmt.Errorf("%s (from %s): %s", path, from, fmt.Sprintf(format, args...)))
	}
	if _, err := c.Lists.Shrink(); err != nil {
		bad("lists.max_shrink", "%v", err)
	}
	c.checkServers(bad)
	c.checkOutputs(bad)
	c.checkListSources(bad)
	c.Sources.NATS.check(bad)
	c.Bus.check(bad)
	if c.Notify.SMTP != "" && (c.Notify.From == "" || len(c.Notify.To) == 0) {
		bad("notify.smtp", "a mail needs notify.from and notify.to")
	}
	if c.Notify.Quiet != "" && !hours.MatchString(c.Notify.Quiet) {
		bad("notify.quiet", "%q is not of the form 22:00-06:00", c.Notify.Quiet)
	}
	c.Sources.S3.check(bad)
	c.Egress.check(bad)
	c.Secrets.check(bad)
	for _, k := range Keys() {
		v := k.value(&c).String()
		if k.Choice != nil && !slices.Contains(k.Choice, v) {
			bad(k.Path, "%q is not one of %s", v, strings.Join(k.Choice, ", "))
		}
		if strings.HasSuffix(k.Path, "listen") && v != "" {
			checkAddress(k.Path, v, bad)
		}
		if k.Kind == "text" && secretInAddress(v) {
			bad(k.Path, "logs and `config print` would show the secret in this address: write it without, and name a file that holds it (password_file)")
		}
	}
	return errors.Join(errs...)
}

// checkAddress finds what cannot be listened on.
func checkAddress(path, v string, bad func(path, format string, args ...any)) {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		bad(path, "%q is not of the form host:port, such as 127.0.0.1:7480", v)
		return
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		bad(path, "%q: %q is no port", v, port)
	}
}

// eventSubjects is the first part of the subjects of events: see the stream EVENTS.
const eventSubjects = "edr.events."

// hasEvents reports whether a subject, which may have wildcards, covers any of events.
func hasEvents(subject []string) bool {
	for i, part := range strings.Split(strings.TrimSuffix(eventSubjects, "."), ".") {
		switch {
		case i < len(subject) && subject[i] == ">":
			return true
		case i >= len(subject) || subject[i] != "*" && subject[i] != part:
			return false
		}
	}
	return len(subject) > strings.Count(eventSubjects, ".")
}

func (n NATSSource) check(bad func(path, format string, args ...any)) {
	parts := strings.Split(n.Subject, ".")
	switch {
	case n.Subject == "" || strings.ContainsAny(n.Subject, " \t\r\n") || slices.Contains(parts, ""):
		bad("sources.nats.subject", "%q is no subject: words with dots between them, * for one word and > for the rest", n.Subject)
	case slices.Contains(parts[:len(parts)-1], ">"):
		bad("sources.nats.subject", "%q: > stands at the end only", n.Subject)
	case !hasEvents(parts):
		bad("sources.nats.subject", "%q gets no events: their subjects begin with %s", n.Subject, eventSubjects)
	}
	if n.Consumer == "" || strings.ContainsAny(n.Consumer, ".*> \t/\\") {
		bad("sources.nats.consumer", "%q is not a consumer's name: it has no dots, blanks, slashes, * and >", n.Consumer)
	}
}

func (b Bus) check(bad func(path, format string, args ...any)) {
	if b.URL != "" && b.Listen != "" {
		bad("bus.listen", "is for the embedded bus, and bus.url names an external one")
	}
	for _, m := range b.Monitor {
		if !strings.HasPrefix(m, "http://") && !strings.HasPrefix(m, "https://") {
			bad("bus.monitor", "%q has no scheme: write http://host:8222", m)
		}
	}
	if len(b.Monitor) > 0 && b.URL == "" {
		bad("bus.monitor", "is for an external bus, and bus.url names none")
	}
	if b.Listen != "" && b.User != "" && b.Password == "" {
		bad("bus.user", "needs bus.password_file; without both there is the user operator, with a password made at the first start")
	}
	for _, name := range b.Readers {
		if name == "" || strings.ContainsAny(name, ".*> \t/\\") {
			bad("bus.readers", "%q is not a consumer's name: it has no dots, blanks, slashes, * and >", name)
		}
	}
}

// secretInAddress finds a password in any of the addresses, or what NATS takes for a
// token: a user without a password.
func secretInAddress(addresses string) bool {
	for address := range strings.SplitSeq(addresses, ",") {
		scheme, rest, ok := strings.Cut(address, "://")
		host, _, _ := strings.Cut(rest, "/")
		user, _, named := strings.Cut(host, "@")
		if ok && named && (strings.Contains(user, ":") || scheme == "nats" || scheme == "tls") {
			return true
		}
	}
	return false
}

func loopback(address string) bool {
	if !strings.Contains(address, "://") {
		address = "tcp://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
