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

// resolver finds the sensor of events that only name a host, by asking its EDR
// server and remembering the answer for a while.
type resolver struct {
	fleet *fleet.Fleet

	mu    sync.Mutex
	known map[edr.Endpoint]resolved // by server and lower-case host name
}

type resolved struct {
	id string
	at time.Time
}

// Bounds of what is remembered.
const (
	resolveAgain = 5 * time.Minute
	maxResolved  = 10_000
)

// find gives the match its sensor where exactly the host's name tells. A host
// that was installed anew has several records: the one that checked in last is
// the one that is there.
func (r *resolver) find(ctx context.Context, m *rules.Match) error {
	host, server := m.Event.Sensor.Hostname, m.Event.Sensor.Server
	if s := &m.Event.Sensor; s.ID != "" { // found for another rule
		m.Endpoints, m.Refused = []edr.Endpoint{{Server: server, ID: s.ID}}, ""
		return nil
	}
	if host == "" || len(m.Event.Sensor.IDs) > 0 {
		return nil
	}
	id, err := r.lookup(ctx, server, host)
	if err != nil {
		return fmt.Errorf("sensor of host %q on server %s: %w", host, server, err)
	}
	if id != "" {
		m.Endpoints, m.Refused = []edr.Endpoint{{Server: server, ID: id}}, ""
		m.Event.Sensor.ID, m.Event.Sensor.IDs = id, []string{id} // the job, its steps and lists see it too
	}
	return nil
}

func (r *resolver) lookup(ctx context.Context, server, host string) (string, error) {
	m, err := r.fleet.At(server)
	if err != nil {
		return "", err
	}
	key := edr.Endpoint{Server: m.Name, ID: strings.ToLower(host)}
	r.mu.Lock()
	known, ok := r.known[key]
	r.mu.Unlock()
	if ok && time.Since(known.at) < resolveAgain {
		return known.id, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	found, err := m.EDR.Sensors(ctx, edr.SensorQuery{Hostname: host})
	if err != nil {
		return "", err
	}
	var best edr.Sensor
	for _, s := range found {
		if strings.EqualFold(s.Hostname, host) && (best.ID == "" || s.LastCheckin.After(best.LastCheckin)) {
			best = s
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil || len(r.known) >= maxResolved {
		r.known = map[edr.Endpoint]resolved{}
	}
	r.known[key] = resolved{best.ID, time.Now()}
	return best.ID, nil
}
