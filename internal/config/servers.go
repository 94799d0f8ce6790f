package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"edrpipe/internal/nearest"
	"edrpipe/pkg/strictyaml"
)

// DefaultKind is the kind of a server whose entry names none.
const DefaultKind = "carbonblack-edr"

// Server is one entry of servers: an EDR server, and the names by which events call
// it. Its name is part of the identity of each of its endpoints, for ever.
type Server struct {
	Name         string        `yaml:"name,required" doc:"what this server is called in records, metrics and subjects; part of the identity of its endpoints, for ever"`
	Kind         string        `yaml:"kind" doc:"the product; default carbonblack-edr"`
	Accept       []string      `yaml:"accept" doc:"names by which events call this server; default: its name"`
	Sessions     int           `yaml:"sessions" min:"1" doc:"Live Response sessions the server grants in all; default 10"`
	Reserve      int           `yaml:"reserve" min:"0" doc:"sessions left free for people; default 1"`
	SensorPoll   time.Duration `yaml:"sensor_poll" doc:"how often all sensors are read at once; default 15s"`
	Tenant       string        `yaml:"tenant" doc:"label for guards, users and lists; empty: none"`
	HostMismatch string        `yaml:"host_mismatch" enum:"hold,deny,allow" doc:"what becomes of a job whose event names another host than the server's record; default hold"`
	AMQP         AMQPSource    `yaml:"amqp" doc:"the server's own RabbitMQ, whose events are this server's"`

	Own KindKeys `yaml:"-"` // the keys of its kind
}

// KindKeys are the settings that one kind of server has besides the common ones: a
// pointer to a struct with the tags of this package.
type KindKeys interface {
	// Check reports what cannot work, by key.
	Check(bad func(key, format string, args ...any))
}

// kinds are the keys of each registered kind; filled by init functions.
var kinds = map[string]func() KindKeys{}

// RegisterKind makes a kind of server known to the configuration. keys returns a new
// value with the defaults. Call it from an init function; a duplicate panics.
func RegisterKind(name string, keys func() KindKeys) {
	if kinds[name] != nil {
		panic("config: kind " + name + " is registered twice")
	}
	kinds[name] = keys
}

// KindNames lists the registered kinds.
func KindNames() []string {
	var names []string
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// defaultServer is an entry that says nothing.
func defaultServer() Server {
	d := Default()
	return Server{
		Kind: DefaultKind, Sessions: d.EDR.Sessions, Reserve: d.EDR.Reserve, SensorPoll: d.EDR.SensorPoll, HostMismatch: d.EDR.HostMismatch,
		AMQP: d.Sources.AMQP,
	}
}

// DecodeYAML implements strictyaml.Custom: the kind decides which keys there are.
func (s *Server) DecodeYAML(d *strictyaml.Decoder, n *yaml.Node, path strictyaml.Path) {
	*s = defaultServer()
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "kind" {
			s.Kind = n.Content[i+1].Value
		}
	}
	keys := kinds[s.Kind]
	if keys == nil {
		hint := "write one of " + strings.Join(KindNames(), ", ")
		if near := nearest.Word(s.Kind, KindNames()); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		d.Report(n, path, fmt.Sprintf("%q is no kind of server", s.Kind), hint)
		return
	}
	s.Own = keys()
	decodeBoth(d, n, path, reflect.ValueOf(s).Elem(), reflect.ValueOf(s.Own).Elem())
}

// decodeBoth decodes one mapping into two structs, as if their fields were in one: so
// an unknown key is reported once, and with the nearest key of either.
func decodeBoth(d *strictyaml.Decoder, n *yaml.Node, path strictyaml.Path, structs ...reflect.Value) {
	var fields []reflect.StructField
	var places []reflect.Value
	for _, v := range structs {
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("yaml") != "-" {
				fields, places = append(fields, reflect.StructField{Name: f.Name, Type: f.Type, Tag: f.Tag}), append(places, v.Field(i))
			}
		}
	}
	all := reflect.New(reflect.StructOf(fields))
	for i, p := range places {
		all.Elem().Field(i).Set(p)
	}
	d.Value(n, path, all.Interface())
	for i, p := range places {
		p.Set(all.Elem().Field(i))
	}
}

// AllServers lists the EDR servers: those of servers, or the one of edr.
func (c Config) AllServers() []Server {
	if len(c.Servers) > 0 {
		return c.Servers
	}
	e := c.EDR
	return []Server{{
		Name: e.Name, Kind: DefaultKind, Accept: e.Accept, Sessions: e.Sessions, Reserve: e.Reserve, SensorPoll: e.SensorPoll,
		Tenant: e.Tenant, HostMismatch: e.HostMismatch, AMQP: c.Sources.AMQP,
		Own: &CarbonBlack{URL: e.URL, Token: e.Token, CA: e.CA, Pin: e.Pin, Insecure: e.Insecure},
	}}
}

// BoundTo returns the server that the events of a source are of where they name none:
// the one that the source names, else the only one; "" where there are several.
func (c Config) BoundTo(server string) string {
	if all := c.AllServers(); server == "" && len(all) == 1 {
		return all[0].Name
	}
	return server
}

// Title names all servers in one text.
func (c Config) Title() string {
	var names []string
	for _, s := range c.AllServers() {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// Named is implemented by the keys of kinds whose events have a name of their own for
// their server.
type Named interface{ Names() []string }

// Accepts lists the names by which events call the server.
func (s Server) Accepts() []string {
	if len(s.Accept) > 0 {
		return s.Accept
	}
	names := []string{s.Name}
	if own, ok := s.Own.(Named); ok {
		for _, name := range own.Names() {
			if name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// CarbonBlack are the keys of a Carbon Black EDR server.
type CarbonBlack struct {
	URL      string `yaml:"url,required" doc:"https://host of the EDR server"`
	Token    string `yaml:"token_file,required" doc:"file with the API token" secret:"file"`
	CA       string `yaml:"ca" doc:"certificates to trust"`
	Pin      string `yaml:"pin" doc:"SHA-256 of the server's certificate, instead of a CA"`
	Insecure bool   `yaml:"insecure" doc:"do not verify the server's certificate"`
}

func init() { RegisterKind(DefaultKind, func() KindKeys { return new(CarbonBlack) }) }

// Check implements KindKeys.
func (k *CarbonBlack) Check(bad func(key, format string, args ...any)) {
	if k.URL != "" && !strings.HasPrefix(k.URL, "https://") && !strings.HasPrefix(k.URL, "http://") {
		bad("url", "%q has no scheme: write https://host", k.URL)
	}
	if strings.HasPrefix(k.URL, "http://") && !loopback(k.URL) {
		bad("url", "the token would cross the network in clear text: use https://")
	}
	if k.Pin != "" && k.Insecure {
		bad("insecure", "contradicts pin: remove one of them")
	}
}

// checkServers finds what cannot work in a list of servers, and among them.
func (c Config) checkServers(bad func(path, format string, args ...any)) {
	if len(c.Servers) > 0 {
		if c.EDR.URL != "" {
			bad("edr.url", "edr is the short form for one server: move it to an entry of servers")
		}
		if c.Sources.AMQP.URL != "" {
			bad("sources.amqp.url", "belongs to the server of edr: write it as amqp of one of the servers")
		}
	}
	byName, byAccepted, byWord := map[string]bool{}, map[string]string{}, map[string]string{}
	for i, s := range c.AllServers() {
		prefix := "edr."
		if len(c.Servers) > 0 {
			prefix = fmt.Sprintf("servers[%d].", i)
		}
		s.check(func(key, format string, args ...any) { bad(prefix+key, format, args...) })
		if byName[s.Name] {
			bad(prefix+"name", "%q is the name of another server, too", s.Name)
		}
		byName[s.Name] = true
		word := subjectWord(s.Name)
		if other, taken := byWord[word]; taken && other != s.Name {
			bad(prefix+"name", "%q and %q are the same word in subjects and records: rename one", s.Name, other)
		}
		byWord[word] = s.Name
		for _, name := range s.Accepts() {
			if other, taken := byAccepted[strings.ToLower(name)]; taken && other != s.Name {
				bad(prefix+"accept", "%q is accepted by %s, too: an event that names it could be of either", name, other)
			}
			byAccepted[strings.ToLower(name)] = s.Name
		}
	}
	for i, s := range c.Servers {
		for _, name := range s.Accepts() {
			if name != s.Name && byName[name] {
				bad(fmt.Sprintf("servers[%d].accept", i), "%q is the name of another server: a source that is bound to it could mean either", name)
			}
		}
	}
	for key, name := range map[string]string{
		"sources.http.server": c.Sources.HTTP.Server, "sources.tcp.server": c.Sources.TCP.Server, "sources.syslog.server": c.Sources.Syslog.Server, "sources.files_server": c.Sources.FilesServer, "sources.s3.server": c.Sources.S3.Server,
	} {
		if name != "" && !byName[name] {
			bad(key, "%q is the name of no configured server", name)
		}
	}
}

// subjectWord is a server's name as a word of subjects, where a dot separates words.
func subjectWord(name string) string { return strings.ReplaceAll(strings.ToLower(name), ".", "_") }

func (s Server) check(bad func(key, format string, args ...any)) {
	if s.Name == "" || strings.ContainsAny(s.Name, "/ *>\t\r\n") {
		bad("name", "%q must be a word without blanks, slashes, * and >: it is part of subjects and of the identity of endpoints", s.Name)
	}
	if slices.Contains(s.Accept, "") {
		bad("accept", "a name is empty")
	}
	if s.Sessions < 1 {
		bad("sessions", "must be at least 1")
	}
	if s.Reserve >= s.Sessions {
		bad("reserve", "%d of %d sessions leaves none to work with", s.Reserve, s.Sessions)
	}
	if strings.ContainsAny(s.Tenant, " .*>\t\n") {
		bad("tenant", "%q must be a word without blanks, dots, * and >: it is part of subjects", s.Tenant)
	}
	if secretInAddress(s.AMQP.URL) {
		bad("amqp.url", "logs and `config print` would show the secret in this address: write it without, and name a file that holds it (password_file)")
	}
	s.Own.Check(bad)
}
