package demo

import (
	"encoding/json"
	"fmt"
	"time"

	"edrpipe/pkg/events"
)

// A Beat is one message of the story and when it is sent.
type Beat struct {
	After   time.Duration // since the start of the story
	Caption string        // what happens, for the person who watches
	Message events.Message
}

const (
	implantMD5 = "5d41402abc4b2a76b9719d911017c592"
	shellMD5   = "7353f60b1739074eb17c5f4dddefe239"
)

// Story is the intrusion, in order. now stands for the time of the events, shell
// is the GUID of the PowerShell that Word starts: who kills it compares that.
func Story(now time.Time, shell string) []Beat {
	at := func(after time.Duration) float64 { return float64(now.Add(after).UnixMilli()) / 1000 }
	autorun := Beat{2 * time.Second, "an autorun key is written on WS-BOB", raw(Bob, "WS-BOB", "regmod", at(2*time.Second), map[string]any{
		"path": `\registry\machine\software\microsoft\windows\currentversion\run\updater`, "action": "writeval", "action_type": 2,
		"pid": 3100, "process_guid": guid(Bob, 3100), "process_path": `c:\users\public\updater.exe`, "md5": implantMD5,
	})}
	again := autorun
	again.After, again.Caption = 3*time.Second, "the same message is delivered a second time"
	return []Beat{
		{time.Second, "Word starts PowerShell on WS-ANN", raw(Ann, "WS-ANN", "procstart", at(time.Second), map[string]any{
			"path": `c:\windows\system32\windowspowershell\v1.0\powershell.exe`, "command_line": "powershell -enc SQBFAFgA", "username": `CORP\ann`,
			"pid": ShellPID, "process_guid": shell, "md5": shellMD5,
			"parent_path": `c:\program files\microsoft office\winword.exe`, "parent_pid": 812, "parent_process_guid": guid(Ann, 812),
		})},
		autorun,
		again,
		{4 * time.Second, "a watchlist named ISOLATE: hits on WS-CAROL", watchlist(11, "ISOLATE: beacon to known C2", Carol, "WS-CAROL", "Office", "windows", `c:\users\public\updater.exe`, at(4*time.Second))},
		{5 * time.Second, "a watchlist named LIVERESPONSE: hits on the Linux server SRV-DB", watchlist(12, "LIVERESPONSE: binary in a hidden directory", DB, "SRV-DB", "Servers", "linux", "/tmp/.x/miner", at(5*time.Second))},
		{5 * time.Second, "… and on the Mac MAC-DAN", watchlist(12, "LIVERESPONSE: unsigned download", Dan, "MAC-DAN", "Office", "osx", "/Users/dan/Downloads/tool", at(5*time.Second))},
		{6 * time.Second, "… and on WS-EVE, which sleeps: its job has to wait", watchlist(13, "LIVERESPONSE: implant on disk", Eve, "WS-EVE", "Travel", "windows", `c:\users\public\updater.exe`, at(6*time.Second))},
		{6 * time.Second, "… and on WS-SLOW, at the end of a bad line", watchlist(13, "LIVERESPONSE: implant on disk", Slow, "WS-SLOW", "Branch", "windows", `c:\users\public\updater.exe`, at(6*time.Second))},
		{7 * time.Second, "a watchlist named BAN: hits: its hash is banned on every sensor", watchlist(14, "BAN: known implant", Bob, "WS-BOB", "Office", "windows", `c:\users\public\updater.exe`, at(7*time.Second))},
		{8 * time.Second, "a watchlist hit names a binary and no sensor: nothing may be done", nameless(at(8 * time.Second))},
		{9 * time.Second, "a message arrives broken", events.Message{Body: []byte(`{"watchlist_name":"ISOLATE: tor`), ContentType: "application/json", Exchange: "api.events", RoutingKey: "watchlist.hit.process"}},
	}
}

// raw is a sensor event as the event forwarder prints it.
func raw(sensor int, host, kind string, at float64, fields map[string]any) events.Message {
	fields["type"] = "ingress.event." + kind
	fields["sensor_id"] = sensor
	fields["computer_name"] = host
	fields["timestamp"] = at
	fields["cb_server"] = "demo"
	return message("ingress.event."+kind, fields)
}

// watchlist is a watchlist hit as the EDR server publishes it.
func watchlist(id int, name string, sensor int, host, group, os, path string, at float64) events.Message {
	return message(fmt.Sprintf("watchlist.%d.hit.process", id), map[string]any{
		"watchlist_id": id, "watchlist_name": name, "cb_version": "7.7.1", "server_name": "demo", "event_timestamp": at,
		"docs": []any{map[string]any{
			"unique_id": guid(sensor, 3100) + "-00000001", "id": guid(sensor, 3100), "segment_id": 1,
			"sensor_id": sensor, "hostname": host, "group": group, "os_type": os, "host_type": "workstation",
			"process_name": base(path), "path": path, "cmdline": path, "process_pid": 3100, "process_md5": implantMD5,
		}},
	})
}

// nameless is a hit on a binary that no sensor is known to have.
func nameless(at float64) events.Message {
	return message("watchlist.15.hit.binary", map[string]any{
		"watchlist_id": 15, "watchlist_name": "ISOLATE: known implant", "cb_version": "7.7.1", "server_name": "demo", "event_timestamp": at,
		"docs": []any{map[string]any{"md5": implantMD5, "endpoint": []any{}, "group": []any{}, "observed_filename": []any{`c:\users\public\updater.exe`}}},
	})
}

func message(key string, body map[string]any) events.Message {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // text and numbers always can be
	}
	return events.Message{Body: b, ContentType: "application/json", Exchange: "api.events", RoutingKey: key, Server: "demo"}
}

// guid is a process GUID of the form that holds sensor, pid and start time.
func guid(sensor, pid int) string {
	return fmt.Sprintf("%08x-%04x-%04x-01da-ff710e784000", sensor, pid>>16, pid&0xffff)
}

func base(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '\\' || path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}
