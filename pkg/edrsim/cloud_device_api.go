package edrsim

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (c *cloud) deviceRoutes(api func(method, path string, f endpointFunc)) {
	api("POST", "/devices/_search", c.searchDevices)
	api("POST", "/devices/_scroll", c.scrollDevices)
	api("GET", "/devices/{id}", c.getDevice)
	api("POST", "/device_actions", c.postAction)
}

// maxSearch bounds start+rows of a search.
const maxSearch = 10_000

// deviceSearch is the body of a search or scroll.
type deviceSearch struct {
	Query       string                     `json:"query"`
	Criteria    map[string]json.RawMessage `json:"criteria"`
	Exclusions  map[string]json.RawMessage `json:"exclusions"`
	Start       number                     `json:"start"`
	Rows        *number                    `json:"rows"`
	Sort        []searchSort               `json:"sort"`
	SearchAfter string                     `json:"search_after"`
}

// searchSort is one field of an order.
type searchSort struct {
	Field string `json:"field"`
	Order string `json:"order"`
}

func (c *cloud) getDevice(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	x, err := c.device(pathNumber(r, "id"))
	var v object
	if err == nil {
		now := c.srv.clock.now()
		c.srv.settle(now)
		x.advance(now)
		v = c.wireDevice(x, now)
	}
	c.srv.mu.Unlock()
	if err != nil {
		return err
	}
	return c.srv.reply(w, r, v)
}

func (c *cloud) searchDevices(w http.ResponseWriter, r *http.Request) error {
	var req deviceSearch
	if err := readJSON(r, &req); err != nil {
		return err
	}
	found, err := c.findDevices(req)
	if err != nil {
		return err
	}
	rows := 20
	if req.Rows != nil {
		rows = int(*req.Rows)
	}
	start := int(req.Start)
	if c.is("device-start", "1") {
		start = max(start-1, 0)
	}
	if rows < 0 || start < 0 || start+rows > maxSearch {
		return invalid("start and rows must be within %d", maxSearch)
	}
	page := found[min(start, len(found)):min(start+rows, len(found))]
	return c.srv.reply(w, r, object{"results": page, "num_found": len(found)})
}

// scrollDevices pages through any number of devices, in the order of their ids.
func (c *cloud) scrollDevices(w http.ResponseWriter, r *http.Request) error {
	var req deviceSearch
	if err := readJSON(r, &req); err != nil {
		return err
	}
	req.Sort = []searchSort{{"id", "ASC"}}
	found, err := c.findDevices(req)
	if err != nil {
		return err
	}
	after := 0
	if req.SearchAfter != "" {
		b, err := base64.RawURLEncoding.DecodeString(req.SearchAfter)
		if err == nil {
			after, err = strconv.Atoi(string(b))
		}
		if err != nil {
			return invalid("search_after is none that was given")
		}
	}
	total := len(found)
	found = slices.DeleteFunc(found, func(d object) bool { return d["id"].(int) <= after })
	rows := 20
	if req.Rows != nil {
		rows = int(*req.Rows)
	}
	if rows < 1 || rows > maxSearch {
		return invalid("rows must be within 1 and %d", maxSearch)
	}
	found = found[:min(rows, len(found))]
	if len(found) > 0 {
		after = found[len(found)-1]["id"].(int)
	}
	return c.srv.reply(w, r, object{"results": found, "num_found": total, "search_after": base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(after)))})
}

// findDevices lists the devices that a search selects, in its order.
func (c *cloud) findDevices(req deviceSearch) ([]object, error) {
	terms, err := parseQuery(req.Query, "name", "os", "id", "status", "policy_id", "policy_name")
	if err != nil {
		return nil, err
	}
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	now := c.srv.clock.now()
	c.srv.settle(now)
	found := []object{}
	for _, x := range c.srv.sensors {
		x.advance(now)
		d := c.wireDevice(x, now)
		in, err := deviceIn(d, req.Criteria, now)
		if err != nil {
			return nil, err
		}
		out := false
		if len(req.Exclusions) > 0 {
			if out, err = deviceIn(d, req.Exclusions, now); err != nil {
				return nil, err
			}
		}
		if in && !out && terms.match(d) {
			found = append(found, d)
		}
	}
	return found, sortObjects(found, req.Sort, "last_contact_time", "name", "id", "os", "status", "policy_name", "target_priority", "last_internal_ip_address")
}

// deviceIn reports whether a device meets all criteria.
func deviceIn(d object, criteria map[string]json.RawMessage, now time.Time) (bool, error) {
	for name, raw := range criteria {
		ok, err := deviceMeets(d, name, raw, now)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func deviceMeets(d object, name string, raw json.RawMessage, now time.Time) (bool, error) {
	switch name {
	case "last_contact_time":
		return inTimeRange(fmt.Sprint(d[name]), raw, now)
	case "status":
		wanted, err := words(raw)
		return err == nil && (oneOf(wanted, "ALL") || oneOf(wanted, "LIVE") || oneOf(wanted, "ACTIVE") || oneOf(wanted, fmt.Sprint(d[name]))), err
	case "id", "os", "policy_id", "policy_name", "target_priority", "name":
		wanted, err := words(raw)
		return err == nil && (len(wanted) == 0 || oneOf(wanted, fmt.Sprint(d[name]))), err
	case "ad_group_id", "device_type", "deployment_type", "asset_group_id", "vcenter_uuid":
		return false, nil // no simulated device has any
	}
	return false, &cloudError{http.StatusBadRequest, "INVALID_FIELD", "No criterion is named " + name, object{"field": "criteria." + name}}
}

// words reads a list of texts and numbers, or a single one, as texts.
func words(raw json.RawMessage) ([]string, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	out := make([]string, len(list))
	for i, one := range list {
		s, err := scalar(one)
		if err != nil {
			return nil, invalid("criteria: %v", err)
		}
		out[i] = s
	}
	return out, nil
}

var cloudPlatforms = map[string]struct{ os, version, sensor string }{
	osWindows: {"WINDOWS", "Windows 11 x64", "4.0.3.1180"},
	osMac:     {"MAC", "MAC OS X 14.5.0", "3.8.0.58"},
	osLinux:   {"LINUX", "Red Hat Enterprise Linux Server 9.3", "2.15.0.2505"},
}

// wireDevice is a device object.
func (c *cloud) wireDevice(x *sensor, now time.Time) object {
	p := cloudPlatforms[x.os()]
	name := strings.ToUpper(x.hostname)
	if x.windows() && c.is("device-name", "domain") {
		name = `LAB\` + name
	}
	status, states := "REGISTERED", []string{"ACTIVE", "LIVE_RESPONSE_NOT_RUNNING", "LIVE_RESPONSE_NOT_KILLED", "LIVE_RESPONSE_ENABLED"}
	if x.isolating {
		status = "QUARANTINE"
	}
	if x.spec.NoLive {
		states = []string{"ACTIVE", "LIVE_RESPONSE_NOT_RUNNING", "LIVE_RESPONSE_NOT_KILLED", "LIVE_RESPONSE_DISABLED"}
	}
	if len(x.live) > 0 {
		states[1] = "LIVE_RESPONSE_RUNNING"
	}
	return object{
		"id": x.deviceID(), "name": name, "os": p.os, "os_version": p.version, "status": status, "sensor_version": p.sensor,
		"last_contact_time": cloudTime(x.lastCheckIn), "last_reported_time": cloudTime(x.lastCheckIn),
		"registered_time": cloudTime(x.registered), "deregistered_time": nil,
		"last_internal_ip_address": x.ip, "last_external_ip_address": "198.51.100.7", "mac_address": mac(x.seed), "last_location": "ONSITE",
		"policy_id": 18800 + x.groupID, "policy_name": cmp.Or(x.spec.Group, "Standard"), "target_priority": "MEDIUM",
		"quarantined": x.isolating, "passive_mode": false, "sensor_states": states, "uninstall_code": strings.ToUpper(fmt.Sprintf("%06x", x.seed&0xffffff)),
		"organization_name": "edrsim", "deployment_type": "ENDPOINT", "sensor_out_of_date": false,
	}
}

// cloudActions are the device actions of the product. Only the first is simulated; the
// others are accepted without effect.
var cloudActions = []string{"QUARANTINE", "BYPASS", "BACKGROUND_SCAN", "UPDATE_POLICY", "UPDATE_SENSOR_VERSION", "UNINSTALL_SENSOR", "DELETE_SENSOR"}

func (c *cloud) postAction(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Action  string          `json:"action_type"`
		Devices json.RawMessage `json:"device_id"`
		Search  *deviceSearch   `json:"search"`
		Options struct {
			Toggle string `json:"toggle"`
		} `json:"options"`
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if !slices.Contains(cloudActions, req.Action) {
		return notOneOf("action_type", req.Action, cloudActions...)
	}
	ids, err := c.actionTargets(req.Devices, req.Search)
	if err != nil {
		return err
	}
	if req.Action == "QUARANTINE" {
		if !oneOf([]string{"ON", "OFF"}, req.Options.Toggle) {
			return notOneOf("options.toggle", req.Options.Toggle, "ON", "OFF")
		}
		if err := c.quarantine(ids, strings.EqualFold(req.Options.Toggle, "ON")); err != nil {
			return err
		}
	}
	if c.is("action-reply", "200") {
		return c.srv.reply(w, r, object{"action_type": req.Action, "device_id": ids})
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// actionTargets are the devices that an action names, or all that its search finds.
func (c *cloud) actionTargets(raw json.RawMessage, search *deviceSearch) ([]int, error) {
	if search != nil {
		c.srv.counters.request("POST device_actions by search", http.MethodPost)
		found, err := c.findDevices(*search)
		ids := make([]int, len(found))
		for i, d := range found {
			ids[i] = d["id"].(int)
		}
		return ids, err
	}
	texts, err := words(raw)
	if err != nil || len(raw) == 0 || len(texts) == 0 {
		return nil, invalid("device_id or search is missing")
	}
	ids := make([]int, len(texts))
	for i, s := range texts {
		if ids[i], err = strconv.Atoi(s); err != nil {
			return nil, invalid("device_id: %q is no number", s)
		}
	}
	return ids, nil
}

// quarantine requests a state of the devices, which they apply at their next contact.
func (c *cloud) quarantine(ids []int, on bool) error {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	now := c.srv.clock.now()
	c.srv.settle(now)
	var all []*sensor
	for _, id := range ids {
		x, err := c.device(id)
		if err != nil {
			return err
		}
		all = append(all, x)
	}
	for _, x := range all {
		x.advance(now)
		if x.power.up(now) || c.is("quarantine-offline", "kept") {
			x.isolate = on
		}
	}
	c.srv.notify()
	return nil
}
