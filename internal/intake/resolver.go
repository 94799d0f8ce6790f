package intake

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/rules"
)

// resolver finds the sensor of events that only name a host, by asking the EDR
// server and remembering the answer for a while.
type resolver struct {
	server edr.Server

	mu    sync.Mutex
	known map[string]resolved
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
	host := m.Event.Sensor.Hostname
	if s := &m.Event.Sensor; s.ID != "" { // found for another rule
		m.Endpoints, m.Refused = []edr.Endpoint{{Server: r.server.Name(), ID: s.ID}}, ""
		return nil
	}
	if host == "" || len(m.Event.Sensor.IDs) > 0 {
		return nil
	}
	id, err := r.lookup(ctx, host)
	if err != nil {
		return fmt.Errorf("sensor of host %q: %w", host, err)
	}
	if id != "" {
		m.Endpoints, m.Refused = []edr.Endpoint{{Server: r.server.Name(), ID: id}}, ""
		m.Event.Sensor.ID, m.Event.Sensor.IDs = id, []string{id} // the job, its steps and lists see it too
	}
	return nil
}

func (r *resolver) lookup(ctx context.Context, host string) (string, error) {
	key := strings.ToLower(host)
	r.mu.Lock()
	known, ok := r.known[key]
	r.mu.Unlock()
	if ok && time.Since(known.at) < resolveAgain {
		return known.id, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	found, err := r.server.Sensors(ctx, edr.SensorQuery{Hostname: host})
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
		r.known = map[string]resolved{}
	}
	r.known[key] = resolved{best.ID, time.Now()}
	return best.ID, nil
}
