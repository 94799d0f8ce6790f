package fleet

import (
	"context"
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
// the event calls its server; empty: it names none, and several are configured.
type OtherServer struct {
	Name    string
	members []*Member
}

// Error implements error.
func (o *OtherServer) Error() string {
	if o.Name == "" {
		return fmt.Sprintf("the event names no server and its source is bound to none, and there are several (%s): set sources.http.server and the like, or publish on edr.events.<server>.…", o.accepting())
	}
	return fmt.Sprintf("the event names the server %q, which no configured server accepts (%s): add it to accept, if it is one of them", o.Name, o.accepting())
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
// only server where there is one.
func (f *Fleet) Of(e *events.Event) (*Member, error) {
	name, by := e.Event.Server, f.names.accepted
	switch {
	case e.Event.Bound != "":
		name, by = e.Event.Bound, f.names.bound
	case name == "" && len(f.cfg.Members) == 1:
		return f.cfg.Members[0], nil
	}
	if m := by[strings.ToLower(name)]; m != nil {
		return m, nil
	}
	return nil, &OtherServer{Name: name, members: f.cfg.Members}
}

// Fill gives an event its server and the facts of its endpoint. An event of another
// server gets none: it has no endpoint here.
func (f *Fleet) Fill(ctx context.Context, e *events.Event) error {
	m, err := f.Of(e)
	if err != nil {
		e.Sensor.Server, e.Sensor.Tenant, e.Sensor.Pending = "", "", 0
		return err
	}
	m.Directory.Fill(ctx, e)
	return nil
}

// Arrived is Fill for an event that has just come, and counts those of other servers.
func (f *Fleet) Arrived(ctx context.Context, e *events.Event) {
	if err := f.Fill(ctx, e); err != nil {
		name := f.others.count(e.Event.Server, e.Event.Received)
		if f.cfg.Other != nil {
			f.cfg.Other(name)
		}
	}
}
