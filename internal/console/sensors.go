package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"edrpipe/internal/web"
	"edrpipe/pkg/edr"
)

// sensorsFresh is how old a list of all sensors may be that is shown.
const sensorsFresh = 5 * time.Second

// sensorList keeps the list of all sensors for a moment: many open dashboards
// shall not each read a whole fleet from the EDR server.
type sensorList struct {
	mu   sync.Mutex
	read time.Time
	all  []edr.Sensor
}

func (l *sensorList) get(ctx context.Context, server edr.Server) ([]edr.Sensor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.read) < sensorsFresh {
		return l.all, nil
	}
	all, err := server.Sensors(ctx, edr.SensorQuery{})
	if err != nil {
		return nil, err
	}
	l.all, l.read = all, time.Now()
	return all, nil
}

func (c *Console) sensorRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/sensors", web.Viewer, "Sensors, and our queue for each", func(r *http.Request, _ struct{}) (web.SensorsPage, error) {
			q, err := sensorQuery(r)
			if err != nil {
				return web.SensorsPage{}, err
			}
			return c.Sensors(r.Context(), q)
		}, "q", "busy", "limit", "offset"),
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
	all, err := c.sensors.get(ctx, c.EDR)
	if err != nil {
		return web.SensorsPage{}, err
	}
	waiting, claims := c.Scheduler.Waiting(), c.Scheduler.Stats().Claims
	page := web.SensorsPage{Sensors: []web.SensorLine{}}
	want := strings.ToLower(q.Text)
	for _, s := range all {
		at := edr.Endpoint{Server: c.Server, ID: s.ID}
		l := web.SensorLine{Sensor: s, Queue: waiting[at], Running: claims[at].Job}
		switch text := strings.ToLower(s.Hostname + " " + s.ID + " " + s.OSVersion); {
		case q.Busy && l.Queue == 0 && l.Running == "":
			continue
		case !strings.Contains(text, want):
			continue
		}
		page.Total++
		if s.Online {
			page.Online++
		}
		page.Sensors = append(page.Sensors, l)
	}
	slices.SortFunc(page.Sensors, func(a, b web.SensorLine) int {
		return cmp.Or(cmp.Compare(load(b), load(a)), cmp.Compare(a.Hostname, b.Hostname), edr.CompareID(a.ID, b.ID))
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
