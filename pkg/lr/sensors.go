package lr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"edrpipe/pkg/edr"
)

// sensorPage is the number of sensors in one request.
const sensorPage = 100

// Sensor returns one sensor, or edr.ErrUnknownSensor.
func (c *Client) Sensor(ctx context.Context, id string) (edr.Sensor, error) {
	got, err := c.sensor(ctx, id)
	if err != nil {
		return edr.Sensor{}, err
	}
	return c.named(ctx, got), nil
}

func (c *Client) sensor(ctx context.Context, id string) (sensorJSON, error) {
	var got sensorJSON
	n, err := sensorNumber(id)
	if err != nil {
		return got, err
	}
	err = c.do(ctx, call{
		method: http.MethodGet, path: sensorPath + "/" + idText(n),
		out: &got, repeat: true, where: edr.Where{Sensor: id},
	})
	if err == nil && got.ID != n {
		err = &Error{Where: edr.Where{Sensor: id}, Kind: edr.ErrServer, Reason: fmt.Sprintf("asked for sensor %s, got %d", id, got.ID)}
	}
	return got, err
}

// Sensors lists sensors by pages of the newer route, or in one answer of the
// older one where the server has no other.
func (c *Client) Sensors(ctx context.Context, q edr.SensorQuery) ([]edr.Sensor, error) {
	var all []edr.Sensor
	for {
		page, total, err := c.sensorPage(ctx, q, len(all))
		if errors.Is(err, ErrNotFound) && len(all) == 0 {
			return c.sensorsV1(ctx, q)
		}
		if err != nil {
			return nil, err
		}
		for _, s := range page {
			all = append(all, c.named(ctx, s))
		}
		if len(page) == 0 || len(all) >= total {
			return distinct(all), nil
		}
	}
}

func (c *Client) sensorPage(ctx context.Context, q edr.SensorQuery, start int) ([]sensorJSON, int, error) {
	query := sensorQuery(q)
	query.Set("start", strconv.Itoa(start))
	query.Set("rows", strconv.Itoa(sensorPage))
	query.Set("sort.col", "computer_name")
	query.Set("sort.dir", "asc")
	var got struct {
		Total   number           `json:"total_results"`
		Results list[sensorJSON] `json:"results"`
	}
	err := c.do(ctx, call{method: http.MethodGet, path: "/api/v2/sensor", query: query, out: &got, repeat: true})
	return got.Results, int(got.Total), err
}

func (c *Client) sensorsV1(ctx context.Context, q edr.SensorQuery) ([]edr.Sensor, error) {
	var got list[sensorJSON]
	query := sensorQuery(q)
	err := c.do(ctx, call{method: http.MethodGet, path: sensorPath, query: query, out: &got, repeat: true})
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusInternalServerError && len(query) > 0 {
		return nil, nil // servers of that age answer a search without matches so
	}
	if err != nil {
		return nil, err
	}
	all := make([]edr.Sensor, len(got))
	for i, s := range got {
		all[i] = c.named(ctx, s)
	}
	return all, nil
}

// distinct drops repetitions: a sensor registered between two pages moves others
// onto the next.
func distinct(all []edr.Sensor) []edr.Sensor {
	seen := make(map[string]bool, len(all))
	return slices.DeleteFunc(all, func(s edr.Sensor) bool {
		again := seen[s.ID]
		seen[s.ID] = true
		return again
	})
}

func sensorQuery(q edr.SensorQuery) url.Values {
	v := url.Values{}
	if q.Hostname != "" {
		v.Set("hostname", q.Hostname)
	}
	if q.IP != "" {
		v.Set("ip", q.IP)
	}
	if q.GroupID != "" {
		v.Set("groupid", q.GroupID)
	}
	return v
}

// SensorsByHost returns the sensors of exactly that host name or DNS name, case
// ignored, newest check-in first: a reinstalled endpoint leaves its old sensors
// behind.
func (c *Client) SensorsByHost(ctx context.Context, host string) ([]edr.Sensor, error) {
	short, _, _ := strings.Cut(host, ".")
	all, err := c.Sensors(ctx, edr.SensorQuery{Hostname: short})
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(s edr.Sensor) bool {
		return !strings.EqualFold(s.Hostname, host) && !strings.EqualFold(s.DNSName, host)
	})
	slices.SortStableFunc(all, func(a, b edr.Sensor) int {
		return cmp.Or(b.LastCheckin.Compare(a.LastCheckin), edr.CompareID(b.ID, a.ID))
	})
	if len(all) == 0 {
		return nil, fmt.Errorf("host %q: %w", host, edr.ErrUnknownSensor)
	}
	return all, nil
}

// FindSensor returns the sensor of an id in decimal, or the newest of a host name.
func (c *Client) FindSensor(ctx context.Context, idOrHost string) (edr.Sensor, error) {
	if _, ok := parseID(idOrHost); ok {
		return c.Sensor(ctx, idOrHost)
	}
	all, err := c.SensorsByHost(ctx, idOrHost)
	if err != nil {
		return edr.Sensor{}, err
	}
	return all[0], nil
}
