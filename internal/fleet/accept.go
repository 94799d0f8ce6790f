package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/events"
)

// names finds the server that an event speaks of.
type names struct {
	members  []*Member
	accepted map[string]*Member // by lower-case name that events use
	bound    map[string]*Member // by what a source or a subject says; nil: ambiguous
}

func newNames(members []*Member) (names, error) {
	n := names{members: members, accepted: map[string]*Member{}, bound: map[string]*Member{}}
	for _, m := range members {
		for _, name := range m.Accept {
			key := strings.ToLower(name)
			if other := n.accepted[key]; other != nil && other != m {
				return n, fmt.Errorf("servers %s and %s both accept the name %q: an event that has it could be of either", other.Name, m.Name, name)
			}
			n.accepted[key] = m
		}
	}
	for _, m := range members {
		if other := n.accepted[strings.ToLower(m.Name)]; other != nil && other != m {
			return n, fmt.Errorf("server %s accepts the name %q, which is the name of another server", other.Name, m.Name)
		}
		for _, name := range append([]string{m.Name}, m.Accept...) {
			n.bind(name, m)
			n.bind(bus.Token(name), m)
		}
	}
	return n, nil
}

// bind notes what a binding may say for a server.
func (n *names) bind(name string, m *Member) {
	key := strings.ToLower(name)
	if other, taken := n.bound[key]; taken && other != m {
		m = nil
	}
	n.bound[key] = m
}

// OtherServer is the error of an event that no configured server accepts. Name is what
// the event calls its server; empty: it names none, and several are configured. Product
// is set where the server that would take it is one of another product.
type OtherServer struct {
	Name    string
	Product string
	taker   *Member
	members []*Member
}

// Error implements error.
func (o *OtherServer) Error() string {
	if o.Product != "" {
		return fmt.Sprintf("the event is one of %s and comes to server %s, which is a %s and has other endpoints under the same ids: bind its source to a server of its kind, or have the event name it",
			o.Product, o.taker.Name, o.taker.Kind)
	}
	if o.Name == "" {
		return fmt.Sprintf("the event names no server and its source is bound to none, and there are several (%s): set sources.http.server and the like, or publish on edr.events.<server>.…", o.accepting())
	}
	return fmt.Sprintf("the event names the server %q, which no configured server accepts (%s): add it to accept, if it is one of them", o.Name, o.accepting())
}

// taking is the server of another product that would take the event; "" where it is none.
func (o *OtherServer) taking() string {
	if o.taker == nil {
		return ""
	}
	return o.taker.Name
}

// accepting lists the names that each server accepts.
func (o *OtherServer) accepting() string {
	list := make([]string, len(o.members))
	for i, m := range o.members {
		list[i] = m.Name + " accepts " + strings.Join(m.Accept, ", ")
	}
	return strings.Join(list, "; ")
}

// Of returns the server that an event speaks of, or an *OtherServer. The name in the
// event counts first, then the binding of its source; an event without either is of the
// only server where there is one. A server of one product takes no events of another:
// their ids are numbers in both.
func (f *Fleet) Of(e *events.Event) (*Member, error) {
	name, by := e.Event.Server, f.names.accepted
	if e.Event.Bound != "" {
		name, by = e.Event.Bound, f.names.bound
	}
	m := by[strings.ToLower(name)]
	if name == "" && len(f.cfg.Members) == 1 {
		m = f.cfg.Members[0]
	}
	if m == nil {
		return nil, &OtherServer{Name: name, members: f.cfg.Members}
	}
	if product := events.ProductOf(e.Event.Type); product != "" && m.Kind != "" && product != m.Kind {
		return nil, &OtherServer{Name: name, Product: product, taker: m, members: f.cfg.Members}
	}
	return m, nil
}

// Fill gives an event its server and the facts of its endpoint, of which a record that is
// missing is read first. An event of another server gets none: it has no endpoint here.
func (f *Fleet) Fill(ctx context.Context, e *events.Event) error {
	m, err := f.Of(e)
	if err != nil {
		forget(e)
		return err
	}
	if e.Sensor.ID != "" {
		_, _ = m.Directory.Find(ctx, e.Sensor.ID) // without it, its facts are pending
	}
	m.Directory.Fill(e)
	return nil
}

// forget takes an event's place from it: that of another server.
func forget(e *events.Event) {
	e.Sensor.Server, e.Sensor.Tenant, e.Sensor.Pending = "", "", 0
}

// Arrived gives an event that has just come its server and the facts of its endpoint that
// are known, and counts those of other servers. It sends no request: no event waits for
// the record of another one's endpoint.
func (f *Fleet) Arrived(e *events.Event) {
	m, err := f.Of(e)
	if err == nil {
		m.Directory.Fill(e)
		return
	}
	forget(e)
	var other *OtherServer
	if errors.As(err, &other) {
		name := f.others.count(other, e.Event.Received)
		if f.cfg.Other != nil {
			f.cfg.Other(name)
		}
	}
}
