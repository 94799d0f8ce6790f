package service

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/fixtures"
	"edrpipe/pkg/edrsim"
)

// Processes of the simulated endpoints, each for one rule.
const (
	pidEvil = 4711 + iota
	pidShadow
	pidOffice
	pidCanary
	pidMass
)

const (
	regRun      = `SOFTWARE\Microsoft\Windows\CurrentVersion\Run\evil`
	regService  = `SYSTEM\CurrentControlSet\Services\evil\ImagePath`
	regDebugger = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\sethc.exe\Debugger`
)

type object = fixtures.Object

// rawMaker makes events in the shapes of recordings.
type rawMaker struct {
	t      *testing.T
	sim    *edrsim.Server
	shapes map[string]object // a line of each type
	n      int
}

// factKeys are what hits and alerts say of their endpoint besides its name. The test
// takes them away.
var factKeys = []string{"group", "host_type", "os_type", "sensor_criticality"}

func newRawMaker(t *testing.T, sim *edrsim.Server) *rawMaker {
	m := &rawMaker{t: t, sim: sim, shapes: map[string]object{}}
	for _, msg := range fixtures.Bus(1) {
		for _, e := range msg.Events {
			if typ, _ := e.Line["type"].(string); m.shapes[typ] == nil && e.Line != nil {
				m.shapes[typ] = e.Line
			}
		}
	}
	return m
}

// line is an event of that type on the endpoint of that number, with other values; those
// of a document go into it.
func (m *rawMaker) line(typ string, sensor, pid int, with object) string {
	m.t.Helper()
	shape := m.shapes[typ]
	if shape == nil {
		m.t.Fatalf("no recorded shape of %s", typ)
	}
	m.n++
	host := fmt.Sprintf("GHOST-%d", sensor)
	if sensor <= len(shippedFleet) {
		host = shippedFleet[sensor-1].host
	}
	guid := guidOf(m.sim, min(sensor, len(shippedFleet)), pid)
	if guid == "" {
		guid = fmt.Sprintf("%08x-0000-%04x-01da-ff71%08x", sensor, pid, m.n)
	}
	of := object{"sensor_id": sensor, "computer_name": host, "hostname": host, "process_guid": guid, "process_id": guid, "unique_id": guid + "-00000001",
		"pid": pid, "process_pid": pid, "timestamp": float64(time.Now().UnixMilli()) / 1000, "cb_server": "sim", "server_name": "sim",
		"md5": fmt.Sprintf("%032x", m.n), "process_md5": fmt.Sprintf("%032x", m.n), "sha256": fmt.Sprintf("%064x", m.n)}
	put := func(in object) object {
		out := maps.Clone(in)
		for _, values := range []object{of, with} {
			for key, value := range values {
				_, has := in[key]
				if _, wanted := with[key]; has || wanted && in["docs"] == nil {
					out[key] = value
				}
			}
		}
		for _, key := range factKeys {
			delete(out, key)
		}
		for key := range out {
			if strings.HasPrefix(key, "link_") {
				delete(out, key)
			}
		}
		return out
	}
	top := put(shape)
	if docs, ok := shape["docs"].([]any); ok {
		for key, value := range with {
			if _, has := shape[key]; has {
				top[key] = value
			}
		}
		top["docs"] = []any{put(docs[0].(object))}
	}
	text, err := json.Marshal(top)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

// before are the events that must have been seen before the others: what correlations
// begin with.
func (m *rawMaker) before() (all []string) {
	for i, k := range shippedFleet {
		if k.os == "windows" {
			all = append(all, m.line("ingress.event.filemod", i+1, 900, object{"process_path": `c:\program files\chrome.exe`, "path": `c:\users\ann\downloads\setup.exe`, "action": "lastwrite", "action_type": 8, "filetype_name": "Unknown"}))
		}
	}
	for sensor := 101; sensor < 105; sensor++ {
		all = append(all, m.line("ingress.event.procstart", sensor, 901, spreading))
	}
	return all
}

var spreading = object{"path": "/tmp/spread", "process_path": "/tmp/spread", "sha256": strings.Repeat("5", 64), "md5": strings.Repeat("5", 32)}

// events are those on which the shipped rules act, on every endpoint that can have them.
func (m *rawMaker) events() (all []string) {
	for i, k := range shippedFleet {
		all = append(all, m.hits(i+1, k)...)
		if k.os == "windows" {
			all = append(all, m.windows(i+1, k)...)
		} else {
			all = append(all, m.unix(i+1, k)...)
		}
		all = append(all, m.anywhere(i+1, k)...)
	}
	// Limited to three jobs a day: what follows is for people.
	return append(all, m.line("ingress.event.procstart", 1, 901, spreading))
}

// hits are those of watchlists, feeds and alerts.
func (m *rawMaker) hits(sensor int, k endpointKind) (all []string) {
	evil := k.program("evil")
	for i, name := range strings.Fields("PREPARE BAN ISOLATE LOCK LIVERESPONSE FORENSICS MEMORY CLEAN RELEASE") {
		if name == "MEMORY" && sensor != 1 && sensor != 2 && sensor != 6 {
			continue // limited to three a day
		}
		all = append(all, m.line("watchlist.hit.process", sensor, pidEvil, object{"watchlist_name": name + ": test", "watchlist_id": 2000 + i, "path": evil, "process_name": "evil"}))
	}
	return append(all,
		m.line("feed.storage.hit.process", sensor, pidEvil, object{"report_score": 90, "path": evil, "process_name": "evil", "feed_id": 7, "report_id": "r"}),
		m.line("alert.watchlist.hit.ingress.process", sensor, pidEvil, object{"alert_severity": "95", "process_path": evil, "process_name": "evil", "unique_id": fmt.Sprintf("f7ad776e-a742-4a53-9a0f-%012x", m.n), "created_time": time.Now().UTC().Format(time.RFC3339)}))
}

// anywhere are events of sensors that every system has.
func (m *rawMaker) anywhere(sensor int, k endpointKind) (all []string) {
	evil, shell, parent := k.program("evil"), "/bin/bash", "/usr/sbin/nginx"
	if k.os == "windows" {
		shell, parent = `c:\windows\system32\windowspowershell\powershell.exe`, `c:\windows\system32\inetsrv\w3wp.exe`
	}
	for i := range 30 {
		all = append(all, m.line("ingress.event.netconn", sensor, 910, object{"process_path": evil, "direction": "outbound", "domain": "", "remote_ip": fmt.Sprintf("10.1.2.%d", i+1), "ipv4": fmt.Sprintf("10.1.2.%d", i+1), "remote_port": 445, "port": 445, "process_guid": sweeping(sensor)}))
	}
	return append(all,
		m.line("ingress.event.netconn", sensor, pidEvil, object{"process_path": evil, "direction": "outbound", "domain": "bad.example"}),
		m.line("ingress.event.netconn", sensor, 911, object{"process_path": "/bin/bash", "direction": "outbound", "domain": "", "remote_ip": "198.51.100.7", "ipv4": "198.51.100.7"}),
		m.line("ingress.event.procstart", sensor, 912, object{"path": shell, "process_path": shell, "parent_path": parent, "command_line": "whoami"}),
		m.line("ingress.event.tamper", sensor, 0, object{"tamper_type": "CbServiceStopped"}),
		m.line("ingress.event.processblocked", sensor, 0, object{"path": k.program(fmt.Sprint("blocked", sensor))}))
}

func sweeping(sensor int) string { return fmt.Sprintf("%08x-0000-038e-01da-ff7100000000", sensor) }

// windows are events of sensors for Windows.
func (m *rawMaker) windows(sensor int, k endpointKind) (all []string) {
	evil := k.program("evil")
	for _, path := range []string{regRun, regService, regDebugger} {
		all = append(all, m.line("ingress.event.regmod", sensor, pidEvil, object{"path": `\registry\machine\` + path, "action": "writeval", "action_type": 2, "process_path": evil}))
	}
	for _, tool := range strings.Fields("whoami net nltest ipconfig") {
		path := `c:\windows\system32\` + tool + ".exe"
		all = append(all, m.line("ingress.event.procstart", sensor, 920, object{"path": path, "process_path": path, "username": `CORP\ann`}))
	}
	for i := range 20 {
		all = append(all, m.line("ingress.event.filemod", sensor, pidMass, object{"process_path": k.program("mass"), "path": fmt.Sprintf(`c:\data\%d.encrypted`, i), "action": "lastwrite", "action_type": 8, "filetype_name": "Unknown"}))
	}
	start := func(pid int, path, line, parent string) string {
		return m.line("ingress.event.procstart", sensor, pid, object{"path": path, "process_path": path, "command_line": line, "parent_path": parent})
	}
	return append(all,
		start(pidShadow, `c:\windows\system32\vssadmin.exe`, "vssadmin delete shadows /all", `c:\windows\explorer.exe`),
		start(pidOffice, `c:\windows\system32\cmd.exe`, "cmd /c whoami", `c:\program files\winword.exe`),
		start(930, `c:\windows\powershell.exe`, "powershell -enc SQBFAFgA", `c:\windows\explorer.exe`),
		start(931, `c:\users\ann\downloads\setup.exe`, "setup", `c:\windows\explorer.exe`),
		m.line("ingress.event.filemod", sensor, pidCanary, object{"process_path": k.program("canary"), "path": `c:\users\public\documents\!accounts\accounts.csv`, "action": "lastwrite", "action_type": 8, "filetype_name": "Unknown"}),
		m.line("ingress.event.filemod", sensor, 932, object{"process_path": evil, "path": `d:\drop.exe`, "action": "lastwrite", "action_type": 8, "filetype_name": "Pe"}),
		m.line("ingress.event.crossprocopen", sensor, pidEvil, object{"process_path": evil, "target_path": `c:\windows\system32\lsass.exe`, "requested_access": 0x1410}),
		m.line("ingress.event.filelessscriptload", sensor, pidEvil, object{"process_path": evil, "script": "[Reflection.Assembly]::Load([Convert]::FromBase64String($x))"}),
		m.line("ingress.event.module", sensor, 0, object{"utf_8_on_disk_filename": `c:\windows\temp\unsigned.exe`, "digsig": object{"result": "Unsigned"}}))
}

// unix are events of sensors for Linux and macOS.
func (m *rawMaker) unix(sensor int, k endpointKind) []string {
	write := func(path string, pid int, process string) string {
		return m.line("ingress.event.filemod", sensor, pid, object{"process_path": process, "path": path, "action": "lastwrite", "action_type": 8, "filetype_name": "Unknown"})
	}
	return []string{write("/root/.ssh/authorized_keys", pidEvil, k.program("evil")), write("/Library/LaunchAgents/x.plist", pidEvil, k.program("evil"))}
}
