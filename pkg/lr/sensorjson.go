package lr

import (
	"strings"

	"edrpipe/pkg/edr"
)

// sensorJSON is what we read of a sensor object.
type sensorJSON struct {
	ID            number `json:"id"`
	ComputerName  text   `json:"computer_name"`
	DNSName       text   `json:"computer_dns_name"`
	GroupID       number `json:"group_id"`
	OSType        number `json:"os_type"`
	OSText        text   `json:"os_environment_display_string"`
	Status        text   `json:"status"`
	LastCheckin   moment `json:"last_checkin_time"`
	NextCheckin   moment `json:"next_checkin_time"`
	SupportsLR    flag   `json:"supports_cblr"`
	Isolate       flag   `json:"network_isolation_enabled"`
	IsIsolating   flag   `json:"is_isolating"`
	Adapters      text   `json:"network_adapters"`
	Build         text   `json:"build_version_string"`
	RestartQueued flag   `json:"restart_queued"`
	Uninstall     flag   `json:"uninstall"`
}

func (s sensorJSON) sensor() edr.Sensor {
	status := strings.TrimSpace(string(s.Status))
	return edr.Sensor{
		ID:           idText(s.ID),
		Hostname:     strings.TrimSpace(string(s.ComputerName)),
		DNSName:      strings.TrimSpace(string(s.DNSName)),
		GroupID:      idText(s.GroupID),
		OS:           osOf(s.OSType, string(s.OSText)),
		OSVersion:    string(s.OSText),
		Status:       status,
		Online:       strings.EqualFold(status, "online"),
		LastCheckin:  s.LastCheckin.Time,
		NextCheckin:  s.NextCheckin.Time,
		LiveResponse: bool(s.SupportsLR),
		Isolation:    isolationOf(bool(s.Isolate), bool(s.IsIsolating)),
		IPs:          addresses(string(s.Adapters)),
		Version:      string(s.Build),
	}
}

// osOf reads os_type; where it is missing or new, the display string.
func osOf(t number, display string) edr.OS {
	switch t {
	case 1:
		return edr.Windows
	case 2:
		return edr.MacOS
	case 3:
		return edr.Linux
	}
	d := strings.ToLower(display)
	switch {
	case strings.Contains(d, "windows"):
		return edr.Windows
	case strings.Contains(d, "mac") || strings.Contains(d, "os x"):
		return edr.MacOS
	}
	return edr.Linux
}

func isolationOf(wanted, is bool) edr.Isolation {
	switch {
	case wanted && is:
		return edr.Isolated
	case wanted:
		return edr.IsolateRequested
	case is:
		return edr.ReleaseRequested
	}
	return edr.NotIsolated
}

// addresses reads "ip,mac|ip,mac|".
func addresses(adapters string) []string {
	var ips []string
	for a := range strings.SplitSeq(adapters, "|") {
		if ip, _, _ := strings.Cut(a, ","); strings.TrimSpace(ip) != "" {
			ips = append(ips, strings.TrimSpace(ip))
		}
	}
	return ips
}
