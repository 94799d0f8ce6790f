package edrsim

import (
	"cmp"
	"fmt"
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

// platforms are a sensor object's fields of the operating system.
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
		ComputerName: name, DNSName: dns, SID: s.sid(as), OSDisplay: cmp.Or(s.spec.System, p.display), BuildVersion: p.version, Status: s.status(now),
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
