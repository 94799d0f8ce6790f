package intake

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"edrpipe/internal/fleet"
	"edrpipe/pkg/edr"
	"edrpipe/rules"
)

// resolver finds the sensor of events that only name a host, by asking its EDR server
// and remembering the answer for a while.
type resolver struct {
	fleet *fleet.Fleet

	mu     sync.Mutex
	known  map[edr.Endpoint]resolved // by server and lower-case host name
	failed map[string]failedLookup   // by server
}

// resolved is the id of a host's sensor. An empty id is none, and doubt says why where
// there are several.
type resolved struct {
	id, doubt string
	at        time.Time
}

type failedLookup struct {
	err error
	at  time.Time
}

// Bounds of what is remembered, and of a question.
const (
	resolveAgain  = 5 * time.Minute
	maxResolved   = 10_000
	resolveWithin = 10 * time.Second
	netbios       = 15
	failedFor     = 15 * time.Second // a server that did not answer is not asked again: events of others wait behind
)

// find gives the match its sensor where exactly the host's name tells. doubt says why
// it does not where several sensors have the name.
func (r *resolver) find(ctx context.Context, m *rules.Match) (doubt string, err error) {
	s := &m.Event.Sensor
	if s.ID != "" { // found for another rule
		m.Endpoints, m.Refused = []edr.Endpoint{{Server: s.Server, ID: s.ID}}, ""
		return "", nil
	}
	if s.Hostname == "" || len(s.IDs) > 0 || s.Named() > 1 {
		return "", nil
	}
	of, err := r.lookup(ctx, s.Server, s.Hostname)
	switch {
	case err != nil:
		return "", fmt.Errorf("sensor of host %q on server %s: %w", s.Hostname, s.Server, err)
	case of.doubt != "":
		m.Refused = rules.SeveralSensors
	case of.id != "":
		m.Endpoints, m.Refused = []edr.Endpoint{{Server: s.Server, ID: of.id}}, ""
		s.ID, s.IDs = of.id, []string{of.id} // the job, its steps and lists see it too
	}
	return of.doubt, nil
}

func (r *resolver) lookup(ctx context.Context, server, host string) (resolved, error) {
	m, err := r.fleet.At(server)
	if err != nil {
		return resolved{}, err
	}
	key := edr.Endpoint{Server: m.Name, ID: strings.ToLower(host)}
	r.mu.Lock()
	known, ok := r.known[key]
	failed := r.failed[m.Name]
	r.mu.Unlock()
	switch {
	case ok && time.Since(known.at) < resolveAgain:
		return known, nil
	case failed.err != nil && time.Since(failed.at) < failedFor:
		return resolved{}, failed.err
	}
	ctx, cancel := context.WithTimeout(ctx, resolveWithin)
	defer cancel()
	short, _, _ := strings.Cut(host[strings.LastIndexByte(host, '\\')+1:], ".")
	short = short[:min(len(short), netbios)] // a server may know the name as Windows cuts it
	found, err := m.EDR.Sensors(ctx, edr.SensorQuery{Hostname: short})
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		if r.failed == nil {
			r.failed = map[string]failedLookup{}
		}
		r.failed[m.Name] = failedLookup{err, time.Now()}
		return resolved{}, err
	}
	delete(r.failed, m.Name)
	if r.known == nil || len(r.known) >= maxResolved {
		r.known = map[edr.Endpoint]resolved{}
	}
	of := oneOf(found, host)
	of.at = time.Now()
	r.known[key] = of
	return of, nil
}

// apart is how much later than all others the one sensor must have checked in that is
// taken among several which are offline.
const apart = time.Hour

// oneOf chooses the sensor of a host. A host that was installed anew has several
// records: the one that is there is the only one online, or the one that checked in
// long after the others. Clones have several too, and which one is meant is not known.
func oneOf(all []edr.Sensor, host string) resolved {
	var best edr.Sensor
	var names []string
	online := 0
	next := time.Time{} // latest check-in but for the best one's
	for _, s := range all {
		if !edr.SameHost(s.Hostname, host) && !edr.SameHost(s.DNSName, host) {
			continue
		}
		names = append(names, s.ID)
		if s.Online {
			online++
		}
		switch {
		case best.ID == "" || s.Online && !best.Online || s.Online == best.Online && s.LastCheckin.After(best.LastCheckin):
			if best.ID != "" && best.LastCheckin.After(next) {
				next = best.LastCheckin
			}
			best = s
		case s.LastCheckin.After(next):
			next = s.LastCheckin
		}
	}
	if len(names) > 1 && online != 1 && (online > 1 || best.LastCheckin.Sub(next) < apart) {
		return resolved{doubt: fmt.Sprintf("the sensors %s all have the host name %q, and the event has no id", strings.Join(names, ", "), host)}
	}
	return resolved{id: best.ID}
}
