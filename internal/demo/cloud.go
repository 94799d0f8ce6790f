package demo

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
)

// OrgKey is the organisation of the demo's Carbon Black Cloud.
const OrgKey = "A1B2C3D4"

// Devices of the cloud's fleet, by what happens to them in its story.
const (
	Finance = 1 // is named by a watchlist that isolates
	Web     = 2 // a Linux server, named by a watchlist that collects
	HR      = 3 // its policy stops a program
)

// firstDevice is the id of the simulator's first device.
const firstDevice = 6231047

const (
	implantSHA256  = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	stoppedProgram = `c:\users\hr\downloads\payroll.exe`
)

// CloudFleet is three devices of a Carbon Black Cloud.
func CloudFleet() []edrsim.SensorSpec {
	return []edrsim.SensorSpec{
		{Hostname: "FIN-WS-014", OS: "windows", Group: "Finance workstations"},
		{Hostname: "WEB-01", OS: "linux", Group: "Servers", Files: []edrsim.FileSpec{{Path: "/tmp/.x/miner", Content: "\x7fELF a harmless stand-in for a miner\n"}}},
		{Hostname: "HR-WS-003", OS: "windows", Group: "Office", Files: []edrsim.FileSpec{{Path: stoppedProgram, Content: "MZ\x90\x00 a harmless stand-in for what a policy stops\n"}}},
	}
}

// CloudStory is what happens at the cloud meanwhile, in order of time: hits of watchlists,
// as the Data Forwarder writes them, and an alert. The alert is raised at sim, so that it
// can be noted and closed there. now stands for the time of the events.
func CloudStory(now time.Time, sim *edrsim.Server) ([]Beat, error) {
	raised, again, err := stopped(sim, now)
	if err != nil {
		return nil, err
	}
	hit := func(after time.Duration, name string, device int, path string) events.Message {
		return cloudHit(now.Add(after), name, device, path)
	}
	return []Beat{
		{2500 * time.Millisecond, "cloud: a watchlist named ISOLATE: hits on FIN-WS-014", hit(2500*time.Millisecond, "ISOLATE: beacon to known C2", Finance, `c:\users\public\updater.exe`)},
		{4500 * time.Millisecond, "cloud: one named LIVERESPONSE: hits on the Linux server WEB-01", hit(4500*time.Millisecond, "LIVERESPONSE: binary in a hidden directory", Web, "/tmp/.x/miner")},
		{5500 * time.Millisecond, "cloud: an alert: the policy of HR-WS-003 stopped a program", raised},
		{7500 * time.Millisecond, "cloud: one named BAN: hits: what EDR bans by MD5 is banned by SHA-256", hit(7500*time.Millisecond, "BAN: known implant", Finance, `c:\users\public\updater.exe`)},
		{12 * time.Second, "cloud: the alert comes again, changed by our note: no second job", again},
	}, nil
}

// cloudHit is a line of the Data Forwarder about a watchlist's hit.
func cloudHit(at time.Time, name string, device int, path string) events.Message {
	spec := CloudFleet()[device-1]
	return cloudLine(map[string]any{
		"schema": 1, "type": "watchlist.hit", "version": "1.0.0", "create_time": cloudTime(at), "org_key": OrgKey, "severity": 8,
		"device_id": firstDevice + device - 1, "device_name": spec.Hostname, "device_os": map[string]string{"windows": "WINDOWS", "linux": "LINUX"}[spec.OS],
		"watchlists": []any{map[string]any{"id": "P9o8I7u6Y5t4R3e2W1q0Zz", "name": name}}, "report_id": "r-1", "report_name": name, "ioc_id": "ioc-1", "ioc_hit": "process_name:" + base(path),
		"process_guid": fmt.Sprintf("%s-%08x-%08x-00000000-1dc59f0a1b2c3d4", OrgKey, firstDevice+device-1, 3100), "process_pid": 3100,
		"process_path": path, "process_cmdline": path, "process_hash": []string{implantMD5, implantSHA256},
	})
}

// stopped raises the alert about a program that was not let run, and returns it as it is
// forwarded first, and as it is forwarded again after it changed.
func stopped(sim *edrsim.Server, now time.Time) (raised, again events.Message, err error) {
	id, err := sim.RaiseAlert("CB_ANALYTICS", HR, map[string]any{
		"severity": 4, "reason": "The policy did not let " + base(stoppedProgram) + " run.", "policy_applied": "APPLIED", "run_state": "DID_NOT_RUN", "sensor_action": "DENY",
		"process_name": stoppedProgram, "process_cmdline": stoppedProgram, "detection_timestamp": cloudTime(now),
	})
	if err != nil {
		return raised, again, fmt.Errorf("alert of the demo: %w", err)
	}
	all := sim.Alerts()
	i := slices.IndexFunc(all, func(a map[string]any) bool { return a["id"] == id })
	first := maps.Clone(all[i])
	first["version"] = "2.1.0"
	changed := maps.Clone(first)
	changed["is_updated"], changed["alert_notes_present"], changed["backend_update_timestamp"] = true, true, cloudTime(now.Add(10*time.Second))
	return cloudLine(first), cloudLine(changed), nil
}

func cloudTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func cloudLine(body map[string]any) events.Message {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // text, numbers and lists of them always can be
	}
	return events.Message{Body: b, ContentType: "application/json", Server: OrgKey}
}
