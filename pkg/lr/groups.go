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
	groupsRetry = 30 * time.Second // between attempts, where a group is not among them
	groupsSoon  = 2 * time.Second  // between attempts, where the server did not answer
)

// groupNames remembers the names of sensor groups: sensor objects carry the number
// only.
type groupNames struct {
	mu    sync.Mutex
	names map[number]string
	read  time.Time // when they were read
	tried time.Time // when that was last attempted
	mute  bool      // the server did not answer then, and may the next time
}

type groupJSON struct {
	ID   number `json:"id"`
	Name text   `json:"name"`
}

// groupName returns the name of a group, or "" (unknown) if the server does not
// provide it; the sensor is returned in both cases. unread: the server did not answer.
func (c *Client) groupName(ctx context.Context, id number) (name string, unread bool) {
	g := &c.groups
	g.mu.Lock()
	defer g.mu.Unlock()
	name, known := g.names[id]
	now, retry := time.Now(), groupsRetry
	if g.mute {
		retry = groupsSoon
	}
	if known && now.Sub(g.read) < groupsFresh || now.Sub(g.tried) < retry {
		return name, !known && g.mute
	}
	g.tried = now
	names, err := c.readGroups(ctx)
	g.mute = err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, edr.ErrUnauthorized)
	if err == nil {
		g.names, g.read = names, now
		return names[id], false
	}
	if ctx.Err() != nil {
		g.tried = time.Time{} // the caller gave up, not the server
	}
	if now.Sub(g.read) < 2*groupsFresh && known {
		return name, false
	}
	delete(g.names, id) // too old to be called known
	return "", g.mute
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
		sensor.Group, sensor.GroupUnread = c.groupName(ctx, s.GroupID)
	}
	return sensor
}
