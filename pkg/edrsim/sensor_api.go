package edrsim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sensorFilter are the filters of the list routes.
type sensorFilter struct {
	hostname, ip, group string
	exact               bool // case counts
}

func (s *Server) filterOf(r *http.Request) sensorFilter {
	q := r.URL.Query()
	f := sensorFilter{q.Get("hostname"), q.Get("ip"), cmp.Or(q.Get("groupid"), q.Get("group_id")), s.as.hostFilter == "sensitive"}
	if !f.exact {
		f.hostname = strings.ToLower(f.hostname)
	}
	return f
}

func (f sensorFilter) matches(x *sensor) bool {
	name := strings.ToUpper(x.hostname)
	if !f.exact {
		name = strings.ToLower(name)
	}
	return strings.Contains(name, f.hostname) && strings.Contains(x.ip, f.ip) && (f.group == "" || f.group == strconv.Itoa(x.groupID))
}

// find gives the sensors that a filter selects, played up to now. Callers hold mu.
func (s *Server) find(f sensorFilter, now time.Time) []*sensor {
	var found []*sensor
	for _, x := range s.sensors {
		if f.matches(x) {
			x.advance(now)
			found = append(found, x)
		}
	}
	return found
}

func (s *Server) listSensors(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	now := s.clock.now()
	s.settle(now)
	list := []wireSensor{}
	days, _ := strconv.Atoi(r.URL.Query().Get("inactive_filter_days"))
	for _, x := range s.find(s.filterOf(r), now) {
		if days <= 0 || now.Sub(x.lastCheckIn) < time.Duration(days)*24*time.Hour {
			list = append(list, x.wire(now, s.as))
		}
	}
	s.mu.Unlock()
	switch {
	case len(list) == 0 && s.as.emptyList == "204":
		w.WriteHeader(http.StatusNoContent)
		return nil
	case len(list) == 0 && s.as.emptyList == "500":
		return &apiError{http.StatusInternalServerError, "Internal Server Error"}
	}
	return s.reply(w, r, list)
}

// pageSensors is the paginated list. rows=0 only counts.
func (s *Server) pageSensors(w http.ResponseWriter, r *http.Request) error {
	if s.as.sensorV2 == "absent" {
		return &apiError{http.StatusNotFound, "Not Found"}
	}
	q := r.URL.Query()
	start, rows := queryInt(q.Get("start"), 0), queryInt(q.Get("rows"), 100)
	s.mu.Lock()
	now := s.clock.now()
	s.settle(now)
	found := s.find(s.filterOf(r), now)
	sortSensors(found, q.Get("sort.col"), strings.EqualFold(q.Get("sort.dir"), "desc"))
	total := len(found)
	start = min(start, total)
	found = found[start:min(start+rows, total)]
	results := make([]wireSensor, 0, len(found))
	for _, x := range found {
		results = append(results, x.wire(now, s.as))
	}
	s.mu.Unlock()
	return s.reply(w, r, map[string]any{"total_results": total, "results": results, "facets": map[string]any{}})
}

func queryInt(s string, otherwise int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1<<30 {
		return otherwise
	}
	return n
}

func sortSensors(list []*sensor, column string, down bool) {
	slices.SortStableFunc(list, func(a, b *sensor) int {
		var c int
		switch column {
		case "id":
			c = cmp.Compare(a.id, b.id)
		case "last_checkin_time":
			c = a.lastCheckIn.Compare(b.lastCheckIn)
		default:
			c = strings.Compare(a.hostname, b.hostname)
		}
		if down {
			return -c
		}
		return c
	})
}

func (s *Server) getSensor(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	x, now, err := s.sensorNow(pathNumber(r, "id"))
	if err != nil {
		s.mu.Unlock()
		return err
	}
	x.advance(now)
	v := x.wire(now, s.as)
	s.mu.Unlock()
	return s.reply(w, r, v)
}

// settable are the fields of a sensor that newer servers accept; older ones take
// the whole object and ignore the rest.
var settable = []string{"network_isolation_enabled", "restart_queued", "uninstall", "liveresponse_init", "group_id", "notes", "event_log_flush_time"}

func (s *Server) putSensor(w http.ResponseWriter, r *http.Request) error {
	fields := map[string]json.RawMessage{}
	if err := readJSON(r, &fields); err != nil {
		return err
	}
	for name := range fields {
		if s.as.sensorPut == "restricted" && !slices.Contains(settable, name) {
			return badRequest(fmt.Errorf("field %q cannot be changed; allowed are %s", name, strings.Join(settable, ", ")))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.sensor(pathNumber(r, "id"))
	if err != nil {
		return err
	}
	now := s.clock.now()
	s.settle(now)
	x.advance(now)
	if err := x.update(fields, s.as.version != "5.1"); err != nil {
		return badRequest(err)
	}
	s.notify()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// update sets the writable fields. Isolation is a request, which the sensor applies at
// its next check-in.
func (s *sensor) update(fields map[string]json.RawMessage, strictTime bool) error {
	var group number = number(s.groupID)
	isolate, restart, uninstall := flag(s.isolate), flag(s.restartQueued), flag(s.uninstall)
	notes, flush := s.notes, s.flushTime
	for name, into := range map[string]any{"network_isolation_enabled": &isolate, "restart_queued": &restart, "uninstall": &uninstall,
		"group_id": &group, "notes": &notes, "event_log_flush_time": &flush} {
		raw, ok := fields[name]
		if !ok {
			continue
		}
		if err := json.NewDecoder(bytes.NewReader(raw)).Decode(into); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if flush != nil && strictTime && flush != s.flushTime {
		if _, err := http.ParseTime(*flush); err != nil {
			return fmt.Errorf("event_log_flush_time: %q is not an RFC 822 time", *flush)
		}
	}
	s.isolate, s.restartQueued, s.uninstall, s.groupID = bool(isolate), bool(restart), bool(uninstall), int(group)
	s.notes, s.flushTime = notes, flush
	return nil
}

func (s *Server) sensorTotals(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	now := s.clock.now()
	active := 0
	for _, x := range s.find(sensorFilter{}, now) {
		if x.status(now) == "Online" {
			active++
		}
	}
	total := len(s.sensors)
	s.mu.Unlock()
	return s.reply(w, r, map[string]any{"sensor_count": total, "active_sensor_count": active, "num_eventlog_bytes": "0", "num_storefile_bytes": "0"})
}

// sensorSeries are a sensor's statistics, of which the simulator keeps none but
// the last.
func (s *Server) sensorSeries(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	x, err := s.sensor(pathNumber(r, "id"))
	now := s.clock.now()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	at := stamp(now, s.as.location())
	switch r.PathValue("series") {
	case "queued":
		return s.reply(w, r, []any{map[string]any{"id": x.id, "sensor_id": x.id, "num_eventlog_bytes": "0", "num_storefile_bytes": "0", "timestamp": at}})
	case "activity":
		return s.reply(w, r, []any{map[string]any{"id": x.id, "sensor_id": x.id, "activity_start_timestamp": at, "activity_end_timestamp": at}})
	case "resourcestatus":
		return s.reply(w, r, []any{map[string]any{"id": x.id, "sensor_id": x.id, "page_faults": "0", "handles": "310", "working_set_size": "31457280", "timestamp": at}})
	default:
		return &apiError{http.StatusNotFound, "Not Found"}
	}
}
