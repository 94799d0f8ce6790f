package cbc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"edrpipe/pkg/edr"
)

// deviceJSON is what we read of a device. Its uninstall code is a secret and is
// never read.
type deviceJSON struct {
	ID          text       `json:"id"`
	Name        text       `json:"name"`
	OS          text       `json:"os"`
	OSVersion   text       `json:"os_version"`
	Status      text       `json:"status"`
	Version     text       `json:"sensor_version"`
	LastContact moment     `json:"last_contact_time"`
	InternalIP  text       `json:"last_internal_ip_address"`
	ExternalIP  text       `json:"last_external_ip_address"`
	PolicyID    text       `json:"policy_id"`
	Policy      text       `json:"policy_name"`
	Quarantined flag       `json:"quarantined"`
	States      list[text] `json:"sensor_states"`
}

// recent is how long a device that was read need not be read again to open a session.
const recent = 15 * time.Second

// maxSeen is how many devices are remembered so that are not recent.
const maxSeen = 1000

// maxRows is the most that one search returns.
const maxRows = 10_000

// Sensor returns one device, or edr.ErrUnknownSensor.
func (c *Client) Sensor(ctx context.Context, id string) (edr.Sensor, error) {
	d, err := c.device(ctx, id, ongoing)
	if err != nil {
		return edr.Sensor{}, err
	}
	return c.sensor(d), nil
}

func (c *Client) device(ctx context.Context, id string, order urgency) (deviceJSON, error) {
	w := edr.Where{Sensor: id}
	if _, err := deviceNumber(id); err != nil {
		return deviceJSON{}, err
	}
	var got deviceJSON
	err := c.do(ctx, call{method: http.MethodGet, path: c.app("/devices/" + url.PathEscape(id)), out: &got, repeat: true, where: w, order: order})
	if err == nil && string(got.ID) != id {
		err = &Error{Where: w, Kind: edr.ErrServer, Reason: fmt.Sprintf("asked for device %s, got %.40q", id, got.ID)}
	}
	if err == nil {
		c.remember(got)
	}
	return got, err
}

// deviceNumber parses a device's id. Text that is no number is treated as an id
// without a device.
func deviceNumber(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != id {
		return 0, &Error{Where: edr.Where{Sensor: id}, Kind: edr.ErrUnknownSensor,
			Reason: fmt.Sprintf("device ids of Carbon Black Cloud are whole numbers, %.40q is none", id)}
	}
	return n, nil
}

// remember keeps a device for Open, which usually follows its reading.
func (c *Client) remember(d deviceJSON) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if len(c.seen) >= maxSeen {
		for id, r := range c.seen {
			if now.Sub(r.at) > recent {
				delete(c.seen, id)
			}
		}
	}
	c.seen[string(d.ID)] = recentDevice{d, now}
}

// justRead returns a device that was read a moment ago, or reads it.
func (c *Client) justRead(ctx context.Context, id string) (deviceJSON, error) {
	c.mu.Lock()
	r, ok := c.seen[id]
	c.mu.Unlock()
	if ok && time.Since(r.at) < recent {
		return r.device, nil
	}
	return c.device(ctx, id, opening)
}

// sensor is a device in the words of pkg/edr.
func (c *Client) sensor(d deviceJSON) edr.Sensor {
	s := edr.Sensor{
		ID: string(d.ID), Hostname: hostOf(string(d.Name)), GroupID: string(d.PolicyID), Group: string(d.Policy),
		OS: osOf(string(d.OS)), OSVersion: string(d.OSVersion), Status: string(d.Status),
		Online:      !d.LastContact.IsZero() && time.Since(d.LastContact.Time) <= c.cfg.OnlineWithin,
		LastCheckin: d.LastContact.Time, LiveResponse: d.liveResponse(), Isolation: c.isolation(d), Version: string(d.Version),
	}
	for _, ip := range []text{d.InternalIP, d.ExternalIP} {
		if ip != "" {
			s.IPs = append(s.IPs, string(ip))
		}
	}
	return s
}

// liveResponse reports whether sessions can be opened on the device: its policy
// enables them and the device's kill switch has not ended them for good.
func (d deviceJSON) liveResponse() bool {
	has := func(state text) bool { return slices.Contains(d.States, state) }
	major, _, _ := strings.Cut(string(d.Version), ".")
	if n, err := strconv.Atoi(major); err == nil && n < 2 {
		return false
	}
	return has("LIVE_RESPONSE_ENABLED") && !has("LIVE_RESPONSE_KILLED") && !has("LIVE_RESPONSE_DISABLED")
}

// Sensors lists devices: one page of 10,000, or all by scrolling where there are
// more. start is never sent: its base (0 or 1) is undocumented.
func (c *Client) Sensors(ctx context.Context, q edr.SensorQuery) ([]edr.Sensor, error) {
	body := map[string]any{"rows": maxRows}
	if safe := searchable(q.Hostname); safe != "" {
		body["query"] = "name:*" + safe + "*"
	}
	if id, err := strconv.ParseInt(q.GroupID, 10, 64); err == nil {
		body["criteria"] = map[string]any{"policy_id": []int64{id}}
	}
	var page devicePage
	err := c.do(ctx, call{method: http.MethodPost, path: c.app("/devices/_search"), body: body, out: &page, repeat: true})
	if err != nil {
		return nil, err
	}
	all := page.Results
	if int(page.Found) > len(all) {
		if all, err = c.scroll(ctx, body, int(page.Found)); err != nil {
			return nil, err
		}
	}
	if len(all) <= maxSeen {
		for _, d := range all {
			c.remember(d)
		}
	}
	return c.matching(all, q), nil
}

type devicePage struct {
	Results     list[deviceJSON] `json:"results"`
	Found       number           `json:"num_found"`
	SearchAfter text             `json:"search_after"`
}

// scroll reads all pages. It ends at a page without devices; num_found is not relied on.
func (c *Client) scroll(ctx context.Context, body map[string]any, found int) ([]deviceJSON, error) {
	var all []deviceJSON
	for after := ""; ; {
		if after != "" {
			body["search_after"] = after
		}
		var page devicePage
		err := c.do(ctx, call{method: http.MethodPost, path: c.app("/devices/_scroll"), body: body, out: &page, repeat: true})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Results...)
		if len(page.Results) == 0 || page.SearchAfter == "" || len(all) >= max(found, int(page.Found)) {
			return all, nil
		}
		after = string(page.SearchAfter)
	}
}

// matching filters by the query and removes duplicates: the server's search may
// return more than the query.
func (c *Client) matching(all []deviceJSON, q edr.SensorQuery) []edr.Sensor {
	out := make([]edr.Sensor, 0, len(all))
	seen := make(map[text]bool, len(all))
	for _, d := range all {
		s := c.sensor(d)
		if seen[d.ID] || !strings.Contains(strings.ToLower(s.Hostname), strings.ToLower(q.Hostname)) ||
			q.GroupID != "" && s.GroupID != q.GroupID ||
			q.IP != "" && !slices.ContainsFunc(s.IPs, func(ip string) bool { return strings.Contains(ip, q.IP) }) {
			continue
		}
		seen[d.ID] = true
		out = append(out, s)
	}
	return out
}

// searchable is the longest part of a host name that needs no quoting in a query.
func searchable(host string) string {
	longest := ""
	for _, part := range strings.FieldsFunc(host, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	}) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return longest
}
