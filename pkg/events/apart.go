package events

// Named is how many endpoints the event names: by number, or else by host name.
func (s *Sensor) Named() int {
	switch {
	case len(s.IDs) > 0:
		return len(s.IDs)
	case s.ID != "":
		return 1
	}
	return len(s.hosts())
}

// hosts are the names of all hosts.
func (s *Sensor) hosts() []string {
	hosts := s.Hostnames
	if len(hosts) == 0 && s.Hostname != "" {
		hosts = []string{s.Hostname}
	}
	if len(s.OtherHostnames) == 0 {
		return hosts
	}
	return append(hosts[:len(hosts):len(hosts)], s.OtherHostnames...)
}

// Apart returns a copy of the event for each endpoint that it names, which names only that
// one; the event itself if it names one or none. A copy has the host name of its endpoint
// where the event pairs them, and shares with the event all that is not about the
// endpoint.
func (e *Event) Apart() []*Event {
	s := &e.Sensor
	apart := make([]*Event, s.Named())
	if len(apart) < 2 {
		return []*Event{e}
	}
	hosts := s.hosts()
	for i := range apart {
		one := *e
		of := &one.Sensor
		of.Hostname, of.Hostnames, of.OtherHostnames = "", nil, nil
		if len(s.IDs) > 0 {
			of.ID, of.IDs = s.IDs[i], s.IDs[i:i+1:i+1]
		}
		if len(hosts) == len(apart) {
			of.Hostname, of.Hostnames = hosts[i], hosts[i:i+1:i+1]
		}
		apart[i] = &one
	}
	return apart
}
