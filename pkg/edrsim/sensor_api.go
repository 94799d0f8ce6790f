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

// wireSensor is a sensor object. Many of its numbers are strings on the wire.
type wireSensor struct {
	ID                int     `json:"id"`
	BuildID           int     `json:"build_id"`
	OSEnvironmentID   int     `json:"os_environment_id"`
	OSType            int     `json:"os_type"`
	GroupID           int     `json:"group_id"`
	NodeID            int     `json:"node_id"`
	ShardID           int     `json:"shard_id"`
	PowerState        int     `json:"power_state"`
	Cookie            int     `json:"cookie"`
	HealthStatus      int     `json:"sensor_health_status"`
	EMETProcessCount  int     `json:"emet_process_count"`
	SupportsCBLR      bool    `json:"supports_cblr"`
	SupportsIsolation bool    `json:"supports_isolation"`
	SupportsModloads  bool    `json:"supports_2nd_gen_modloads"`
	Isolate           bool    `json:"network_isolation_enabled"`
	IsIsolating       bool    `json:"is_isolating"`
	RestartQueued     bool    `json:"restart_queued"`
	Uninstall         bool    `json:"uninstall"`
	Uninstalled       *bool   `json:"uninstalled"`
	Display           bool    `json:"display"`
	EMETIsGPO         bool    `json:"emet_is_gpo"`
	Notes             *string `json:"notes"`
	FlushTime         *string `json:"event_log_flush_time"`
	VolumeTotal       string  `json:"systemvolume_total_size"`
	VolumeFree        string  `json:"systemvolume_free_size"`
	Memory            string  `json:"physical_memory_size"`
	Uptime            string  `json:"uptime"`
	SensorUptime      string  `json:"sensor_uptime"`
	ClockDelta        string  `json:"clock_delta"`
	EventlogBytes     string  `json:"num_eventlog_bytes"`
	StorefilesBytes   string  `json:"num_storefiles_bytes"`
	BootID            string  `json:"boot_id"`
	ParityHostID      string  `json:"parity_host_id"`
	ComputerName      string  `json:"computer_name"`
	DNSName           string  `json:"computer_dns_name"`
	SID               string  `json:"computer_sid"`
	OSDisplay         string  `json:"os_environment_display_string"`
	BuildVersion      string  `json:"build_version_string"`
	Status            string  `json:"status"`
	HealthMessage     string  `json:"sensor_health_message"`
	Adapters          string  `json:"network_adapters"`
	EMETTelemetry     string  `json:"emet_telemetry_path"`
	EMETVersion       string  `json:"emet_version"`
	EMETDumpFlags     string  `json:"emet_dump_flags"`
	EMETReport        string  `json:"emet_report_setting"`
	EMETExploit       string  `json:"emet_exploit_action"`
	Registered        string  `json:"registration_time"`
	LastCheckin       string  `json:"last_checkin_time"`
	NextCheckin       string  `json:"next_checkin_time"`
	LastUpdate        string  `json:"last_update"`
	LicenseExpiration string  `json:"license_expiration"`
}

// platform is what a sensor object says of the operating system.
var platforms = map[string]struct {
	osType, environment, build int
	display, version           string
}{
	osWindows: {1, 1, 11, "Windows 7 Professional Service Pack 1, 64-bit", "006.000.002.70329"},
	osMac:     {2, 2, 12, "Mac OSX 10.12.6", "006.000.004.70626"},
	osLinux:   {3, 3, 13, "Linux CentOS 7.3", "006.000.003.70421"},
}

// wire is the sensor as the server shows it at a time.
func (s *sensor) wire(now time.Time, as *behaviour) wireSensor {
	p := platforms[s.os()]
	zone := as.location()
	name, dns := strings.ToUpper(s.hostname), strings.ToLower(s.hostname)
	next := s.nextCheckIn
	if next.IsZero() || next.Sub(s.lastCheckIn) > 2*s.interval {
		next = s.lastCheckIn.Add(s.interval)
	}
	return wireSensor{
		ID: s.id, BuildID: p.build, OSEnvironmentID: p.environment, OSType: p.osType, GroupID: s.groupID, Cookie: int(uint32(s.seed) >> 1),
		HealthStatus: 100, HealthMessage: "Healthy", SupportsCBLR: !s.spec.NoLive, SupportsIsolation: true,
		Isolate: s.isolate, IsIsolating: s.isolating, RestartQueued: s.restartQueued, Uninstall: s.uninstall, Display: true, Notes: s.notes, FlushTime: s.flushTime,
		VolumeTotal: "64422408192", VolumeFree: strconv.FormatUint(8<<30+s.seed%(16<<30), 10), Memory: "4294430720",
		Uptime: elapsed(s.booted, now), SensorUptime: elapsed(s.booted.Add(15*time.Second), now), ClockDelta: strconv.Itoa(int(s.seed%7) - 3),
		EventlogBytes: strconv.FormatUint(s.seed%60000, 10), StorefilesBytes: "0", BootID: strconv.FormatUint(s.seed%90, 10), ParityHostID: "0",
		ComputerName: name, DNSName: dns, SID: s.sid(as), OSDisplay: p.display, BuildVersion: p.version, Status: s.status(now),
		Adapters: s.ip + "," + mac(s.seed) + "|", EMETReport: " (Locally configured)", EMETExploit: " (Locally configured)",
		Registered: stamp(s.registered, zone), LastCheckin: stamp(s.lastCheckIn, zone), NextCheckin: stamp(next, zone),
		LastUpdate: stamp(s.lastCheckIn.Add(5*time.Second), zone), LicenseExpiration: stamp(time.Date(1990, 1, 1, 0, 0, 0, 0, zone), zone),
	}
}

// sid is the computer's; Linux has none, and its sensors send a blank line.
func (s *sensor) sid(as *behaviour) string {
	switch {
	case s.os() == osWindows:
		return fmt.Sprintf("S-1-5-21-%d-%d-%d", uint32(s.seed), uint32(s.seed>>16), uint32(s.seed>>32))
	case s.os() == osLinux && as.sidNewline == "on":
		return fmt.Sprintf("%032x\n", s.seed)
	default:
		return fmt.Sprintf("%032x", s.seed)
	}
}

func mac(seed uint64) string { return fmt.Sprintf("00155d%06x", seed&0xffffff) }

func elapsed(from, to time.Time) string {
	return strconv.FormatInt(int64(max(to.Sub(from), 0)/time.Second), 10)
}

// stamp is a time as sensor objects have it; whole seconds lose their fraction.
func stamp(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	if t.Nanosecond()/1000 == 0 {
		return t.Format("2006-01-02 15:04:05-07:00")
	}
	return t.Format("2006-01-02 15:04:05.000000-07:00")
}

// sensorFilter is what list routes can be asked for.
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
	s.mu.Unlock()
	sortSensors(found, q.Get("sort.col"), strings.EqualFold(q.Get("sort.dir"), "desc"))
	total := len(found)
	start = min(start, total)
	found = found[start:min(start+rows, total)]
	s.mu.Lock()
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
	x, err := s.sensor(pathNumber(r, "id"))
	if err != nil {
		s.mu.Unlock()
		return err
	}
	now := s.clock.now()
	s.settle(now)
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

// update sets what can be set. Isolation only asks; the sensor follows at its next
// check-in.
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
