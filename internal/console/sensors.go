package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"edrpipe/internal/web"
	"edrpipe/pkg/edr"
)

// sensorsFresh is how old a list of all sensors may be that is shown.
const sensorsFresh = 5 * time.Second

// sensorsWithin bounds the wait for one server's list. A fleet of 10,000 takes a few
// seconds, and some ten on a loaded machine.
const sensorsWithin = time.Minute

// sensorList keeps the lists of all sensors for a moment: many open dashboards
// shall not each read whole fleets from the EDR servers.
type sensorList struct {
	mu sync.Mutex
	of map[string]*serverSensors // by server
}

// serverSensors is what one server said last.
type serverSensors struct {
	mu   sync.Mutex
	read time.Time
	all  []edr.Sensor
	err  error
}

func (l *sensorList) get(ctx context.Context, server edr.Server) ([]edr.Sensor, error) {
	l.mu.Lock()
	one := l.of[server.Name()]
	if one == nil {
		if l.of == nil {
			l.of = map[string]*serverSensors{}
		}
		one = &serverSensors{}
		l.of[server.Name()] = one
	}
	l.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	if time.Since(one.read) < sensorsFresh {
		return one.all, one.err
	}
	ctx, cancel := context.WithTimeout(ctx, sensorsWithin)
	defer cancel()
	one.all, one.err = server.Sensors(ctx, edr.SensorQuery{})
	if one.err == nil || ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		one.read = time.Now() // also that it does not answer: the next page does not wait for it again
	}
	return one.all, one.err
}

// found is an endpoint with what its server says of it.
type found struct {
	at   edr.Endpoint
	info edr.Sensor
}

// allSensors lists the sensors of all servers. problems says which servers do not
// answer; their sensors are missing.
func (c *Console) allSensors(ctx context.Context) (all []found, problems []string) {
	members := c.members(ctx)
	lists, errs := make([][]edr.Sensor, len(members)), make([]error, len(members))
	var g errgroup.Group
	for i, m := range members {
		g.Go(func() error { lists[i], errs[i] = c.sensors.get(ctx, m.EDR); return nil })
	}
	_ = g.Wait() // each has its own error
	for i, m := range members {
		if errs[i] != nil {
			problems = append(problems, silence(m, errs[i]))
		}
		for _, s := range lists[i] {
			all = append(all, found{edr.Endpoint{Server: m.Name, ID: s.ID}, s})
		}
	}
	return all, problems
}

func (c *Console) sensorRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/sensors", web.Viewer, "Sensors, and our queue for each", func(r *http.Request, _ struct{}) (web.SensorsPage, error) {
			q, err := sensorQuery(r)
			if err != nil {
				return web.SensorsPage{}, err
			}
			return c.Sensors(r.Context(), q)
		}, "q", "busy", "limit", "offset").ByTenant(),
	}
}

func sensorQuery(r *http.Request) (web.SensorQuery, error) {
	v := r.URL.Query()
	q := web.SensorQuery{Text: v.Get("q"), Busy: v.Get("busy") != ""}
	var err error
	if q.Limit, err = web.Limit(r, "limit"); err != nil {
		return q, err
	}
	q.Offset, err = web.Number(r, "offset", 0)
	return q, err
}

// Sensors lists sensors: those with jobs first, then by name.
func (c *Console) Sensors(ctx context.Context, q web.SensorQuery) (web.SensorsPage, error) {
	all, problems := c.allSensors(ctx)
	waiting, claims := c.Fleet.Waiting(), c.Fleet.Stats().Claims
	page := web.SensorsPage{Problems: problems, Sensors: []web.SensorLine{}}
	want := strings.ToLower(q.Text)
	for _, s := range all {
		l := web.SensorLine{Server: s.at.Server, Sensor: s.info, Queue: waiting[s.at], Running: claims[s.at].Job}
		switch text := strings.ToLower(s.info.Hostname + " " + s.at.String() + " " + s.info.OSVersion); {
		case q.Busy && l.Queue == 0 && l.Running == "":
			continue
		case !strings.Contains(text, want):
			continue
		}
		page.Total++
		if s.info.Online {
			page.Online++
		}
		page.Sensors = append(page.Sensors, l)
	}
	slices.SortFunc(page.Sensors, func(a, b web.SensorLine) int {
		return cmp.Or(cmp.Compare(load(b), load(a)), cmp.Compare(a.Hostname, b.Hostname), cmp.Compare(a.Server, b.Server), edr.CompareID(a.ID, b.ID))
	})
	from := min(q.Offset, len(page.Sensors))
	to := min(from+q.Limit, len(page.Sensors))
	page.Sensors = slices.Clone(page.Sensors[from:to])
	return page, nil
}

// load orders sensors: those with something to do come first.
func load(l web.SensorLine) int {
	if l.Running != "" {
		return l.Queue + 1
	}
	return l.Queue
}
