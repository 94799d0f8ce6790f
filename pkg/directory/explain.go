package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Fact is one fact of an endpoint with its origin.
type Fact struct {
	Name   string   `json:"name"`  // as conditions have it: sensor.type
	Value  string   `json:"value"` // empty: it is known that there is none
	Origin string   `json:"origin"`
	Over   []string `json:"over,omitempty" jsonschema:"description=what others say and does not count"`
}

// Explained is all that is known of an endpoint.
type Explained struct {
	Endpoint edr.Endpoint `json:"endpoint"`
	Host     string       `json:"host,omitempty"`
	Facts    []Fact       `json:"facts"`
	Unknown  []string     `json:"unknown,omitempty" jsonschema:"description=facts that nobody tells"`
	Pending  []string     `json:"pending,omitempty" jsonschema:"description=facts that the server could not be asked for yet"`
}

// Explain returns each fact of an endpoint with its origin. An endpoint without a record
// on the server is an error.
func (d *Directory) Explain(ctx context.Context, id string) (Explained, error) {
	r, err := d.Find(ctx, id)
	x := Explained{Endpoint: edr.Endpoint{Server: d.cfg.Server.Name(), ID: id}, Host: r.Hostname, Facts: []Fact{}}
	if err != nil && !errors.Is(err, ErrUnread) {
		return x, fmt.Errorf("endpoint %s: %w", x.Endpoint, err)
	}
	if heard := d.heard.of(id); heard != "" {
		x.say("type", heard, "an event")
	}
	by := "server " + d.cfg.Server.Name()
	if err == nil {
		d.byServer(&x, &r, by)
	}
	x.say("tenant", d.cfg.Tenant, "configuration of "+by)
	var s events.Sensor
	d.Merge(ctx, id, &s)
	x.Unknown, x.Pending = (s.Unknown() &^ s.Pending).Names(), s.Pending.Names()
	return x, nil
}

// byServer adds the facts of the server, then those of the endpoints file.
func (d *Directory) byServer(x *Explained, r *Record, by string) {
	for _, f := range []struct{ name, value string }{{"os", string(r.OS)}, {"os_version", r.OSVersion}, {"group", r.Group}} {
		if f.value != "" {
			x.say(f.name, f.value, by)
		}
	}
	switch {
	case r.Type == "":
	case slices.ContainsFunc(x.Facts, func(f Fact) bool { return f.Name == "sensor.type" && f.Value == typeDomainController }):
		x.Facts[0].Over = append(x.Facts[0].Over, fmt.Sprintf("%s, by %s: a domain controller is a server, too", r.Type, by))
	default:
		x.say("type", r.Type, by+", by the name of the OS")
	}
	d.mu.RLock()
	book := d.book
	d.mu.RUnlock()
	var tags []string
	for _, told := range book.Explain(r.subject()) {
		place := fmt.Sprintf("%s:%d", book.Name, told.Line)
		if told.Fact != "tags" {
			x.say(told.Fact, told.Value, place)
			continue
		}
		if told.Value != "" {
			tags = append(tags, told.Value)
		}
		x.say("tags", strings.Join(tags, ", "), place)
	}
}

// say adds a fact, which takes precedence over earlier ones.
func (x *Explained) say(name, value, origin string) {
	f := Fact{Name: "sensor." + name, Value: value, Origin: origin}
	i := slices.IndexFunc(x.Facts, func(g Fact) bool { return g.Name == f.Name })
	if i < 0 {
		x.Facts = append(x.Facts, f)
		return
	}
	if name != "tags" {
		f.Over = append(x.Facts[i].Over, fmt.Sprintf("%s, by %s", x.Facts[i].Value, x.Facts[i].Origin))
	}
	x.Facts[i] = f
}
