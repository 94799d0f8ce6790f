package lr

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"edrpipe/pkg/edr"
)

const (
	groupsFresh = 5 * time.Minute  // after it, names are read again
	groupsRetry = 30 * time.Second // between attempts after one that failed, or that did not have a group
)

// groupNames remembers the names of sensor groups: sensor objects carry the number
// only.
type groupNames struct {
	mu    sync.Mutex
	names map[number]string
	read  time.Time // when they were read
	tried time.Time // when that was last attempted
}

type groupJSON struct {
	ID   number `json:"id"`
	Name text   `json:"name"`
}

// groupName returns the name of a group, or "" (unknown) if the server does not
// provide it; the sensor is returned in both cases.
func (c *Client) groupName(ctx context.Context, id number) string {
	g := &c.groups
	g.mu.Lock()
	defer g.mu.Unlock()
	name, known := g.names[id]
	now := time.Now()
	if known && now.Sub(g.read) < groupsFresh || now.Sub(g.tried) < groupsRetry {
		return name
	}
	g.tried = now
	names, err := c.readGroups(ctx)
	if err != nil {
		if ctx.Err() != nil {
			g.tried = time.Time{} // the caller gave up, not the server
		}
		if now.Sub(g.read) < 2*groupsFresh {
			return name
		}
		return "" // too old to be called known
	}
	g.names, g.read = names, now
	return names[id]
}

// readGroups reads all groups, by the route that the server's version has.
func (c *Client) readGroups(ctx context.Context) (map[number]string, error) {
	var got list[groupJSON]
	var err error
	for _, path := range []string{"/api/group", "/api/v1/group"} {
		got = nil
		err = c.do(ctx, call{method: http.MethodGet, path: path, out: &got, repeat: true})
		if !errors.Is(err, ErrNotFound) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	names := make(map[number]string, len(got))
	for _, g := range got {
		names[g.ID] = string(g.Name)
	}
	return names, nil
}

// named gives a sensor the name of its group.
func (c *Client) named(ctx context.Context, s sensorJSON) edr.Sensor {
	sensor := s.sensor()
	if s.GroupID != 0 {
		sensor.Group = c.groupName(ctx, s.GroupID)
	}
	return sensor
}
