package workload

import (
	"encoding/json"
	"fmt"
	"strings"
)

// JSON makes n events as the event forwarder prints them.
func JSON(n int, seed uint64) [][]byte {
	v := newVocabulary(seed)
	lines := make([][]byte, n)
	for i := range lines {
		line, err := json.Marshal(v.event(i))
		if err != nil {
			panic(err) // strings, numbers and booleans only
		}
		lines[i] = line
	}
	return lines
}

// shares of kinds, in percent: more processes than sensors report, since that is
// what most rules are about.
func (v *vocabulary) event(i int) map[string]any {
	e := v.common(i)
	switch p := v.rand.IntN(100); {
	case p < 40:
		v.procstart(e)
	case p < 60:
		e["type"], e["event_type"] = "ingress.event.filemod", "filemod"
		e["path"] = `c:\users\` + v.word() + `\appdata\` + v.word() + `\` + v.word() + `\` + v.word() + []string{".tmp", ".log", ".dat", ".js", ".dll", ".exe"}[v.rand.IntN(6)]
		e["action"], e["action_type"], e["filetype_name"], e["file_type"] = "lastwrite", 8, "Unknown", 0
		e["file_md5"] = strings.ToUpper(v.hex(32))
	case p < 75:
		e["type"], e["event_type"] = "ingress.event.regmod", "regmod"
		e["path"] = `\registry\machine\software\` + v.word() + `\` + v.word() + `\currentversion\` + v.word() + `\` + v.word()
		e["action"], e["action_type"] = "writeval", 2
	case p < 86:
		e["type"], e["event_type"] = "ingress.event.moduleload", "modload"
		e["path"] = `c:\windows\system32\` + v.word() + v.word() + ".dll"
		e["md5"], e["sha256"] = strings.ToUpper(v.hex(32)), strings.ToUpper(v.hex(64))
	case p < 96:
		v.netconn(e)
	case p < 98:
		e["type"], e["event_type"] = "ingress.event.crossprocopen", "cross_process"
		e["cross_process_type"], e["requested_access"], e["is_target"] = "open_process", 5136, false
		e["target_path"], e["target_pid"], e["target_md5"] = v.program(), 4*v.rand.IntN(4000), v.hex(32)
	default:
		v.feedHit(e)
	}
	return e
}

func (v *vocabulary) common(i int) map[string]any {
	host, program := v.host(), v.program()
	guid := fmt.Sprintf("%08x-0000-%04x-01da-ff71%08x", host, v.rand.IntN(1<<16), v.rand.Uint32())
	return map[string]any{
		"pid": 4 * v.rand.IntN(4000), "process_guid": guid, "process_path": program,
		"md5": strings.ToUpper(v.hex(32)), "sha256": strings.ToUpper(v.hex(64)),
		"link_process": "https://edr.example/#analyze/" + guid + "/0",
		"link_sensor":  fmt.Sprintf("https://edr.example/#/host/%d", host),
		"cb_server":    "edr01", "sensor_id": host, "computer_name": fmt.Sprintf("WKS-%04d", host),
		"timestamp": 1725526400 + i/50, "tamper": false, "tamper_sent": false,
	}
}

func (v *vocabulary) procstart(e map[string]any) {
	program, parent := e["process_path"].(string), v.program()
	e["type"], e["event_type"] = "ingress.event.procstart", "proc"
	e["path"], e["command_line"] = program, v.commandLine(program)
	e["parent_path"], e["parent_pid"], e["parent_create_time"] = parent, 4*v.rand.IntN(4000), 1725525400
	e["parent_guid"] = int64(v.rand.Uint64())
	e["parent_md5"] = strings.ToUpper(v.hex(32))
	e["link_parent"] = fmt.Sprintf("https://edr.example/#analyze/%08x-0000-%04x-01da-ff6e%08x/1", e["sensor_id"], v.rand.IntN(1<<16), v.rand.Uint32())
	e["username"], e["uid"] = v.user(), "S-1-5-21-1004336348-1177238915-682003330-"+v.hex(4)
	e["filtering_known_dlls"], e["expect_followon_w_md5"] = false, false
}

func (v *vocabulary) netconn(e map[string]any) {
	e["type"], e["event_type"] = "ingress.event.netconn", "netconn"
	e["domain"] = "www." + v.word() + v.word() + ".example"
	e["remote_ip"] = fmt.Sprintf("%d.%d.%d.%d", 1+v.rand.IntN(222), v.rand.IntN(256), v.rand.IntN(256), v.rand.IntN(256))
	e["ipv4"], e["local_ip"], e["local_port"] = e["remote_ip"], "10.0.4.17", 49152+v.rand.IntN(16000)
	e["remote_port"] = []int{443, 443, 443, 80, 53, 8080, 1024 + v.rand.IntN(60000)}[v.rand.IntN(7)]
	e["port"], e["protocol"], e["direction"] = e["remote_port"], 6, "outbound"
}

func (v *vocabulary) feedHit(e map[string]any) {
	e["type"] = "feed.ingress.hit.process"
	e["process_id"] = e["process_guid"]
	e["feed_id"], e["feed_name"] = 1+v.rand.IntN(40), "feed-"+v.word()
	e["report_id"], e["report_score"] = "r-"+v.hex(6), v.rand.IntN(101)
	e["ioc_type"], e["ioc_value"] = "dns", v.word()+".example"
	e["hostname"], e["group"], e["os_type"] = e["computer_name"], "Office", "Windows"
	e["event_timestamp"] = e["timestamp"]
}
