package events

import (
	"strconv"
	"strings"
	"time"
)

// This file holds the steps of Carbon Black Cloud's tables that are more than a
// conversion.

var (
	keyDeviceID         = keyOf("device_id")
	keyDeviceName       = keyOf("device_name")
	keyDeviceOS         = keyOf("device_os")
	deviceGroupKeys     = keysOf("device_group", "device_policy")
	keyBackendTimestamp = keyOf("backend_timestamp")
	keyProcessPID       = keyOf("process_pid")
	keyNetconnInbound   = keyOf("netconn_inbound")
	keyNetconnProtocol  = keyOf("netconn_protocol")
	proxyKeys           = keysOf("netconn_proxy_ip", "netconn_proxy_domain")
	keyCrossprocGUID    = keyOf("crossproc_guid")

	processHashKeys = keysOf("process_hash", "process_md5", "process_sha256")
	parentHashKeys  = keysOf("parent_hash", "parent_md5", "parent_sha256")
	moduleHashKeys  = keysOf("modload_hash", "modload_md5", "modload_sha256")
	fileHashKeys    = keysOf("filemod_hash", "filemod_md5", "filemod_sha256")
	targetHashKeys  = keysOf("crossproc_hash", "crossproc_md5", "crossproc_sha256")
	scriptHashKeys  = keysOf("scriptload_hash", "fileless_scriptload_hash", "scriptload_sha256")
	childHashKeys   = keysOf("childproc_hash", "childproc_md5", "childproc_sha256")

	keyChildprocGUID = keyOf("childproc_guid")
	keyChildprocPID  = keyOf("childproc_pid")
	keyChildprocName = keyOf("childproc_name")
	keyChildprocUser = keyOf("childproc_username")
	keyTargetCmdline = keyOf("target_cmdline")
)

// topText is the text of a key of the message.
func (x *reading) topText(k key) string { return x.plainText(&x.top, x.top.get(k)) }

// cloudReceived: a file from a bucket has no other time of arrival.
func cloudReceived(x *reading) {
	if m := &x.event.Event; m.Received.IsZero() {
		if t, ok := x.time(&x.top, x.top.get(keyBackendTimestamp)); ok {
			m.Received = t
		}
	}
}

// cloudServer: an event names its server by the key of its organisation, whatever its
// source is bound to.
func cloudServer(x *reading) {
	if org := x.value(keyOrgKey); org != "" {
		x.event.Event.Server, x.event.Event.Bound = org, ""
	}
}

// cloudDevice takes the device from its field, or from a process's GUID.
func cloudDevice(x *reading) {
	if x.addSensor(x.topText(keyDeviceID)) {
		return
	}
	if device, _, ok := cloudGUID(x.topText(keyProcessGUID)); ok && device > 0 {
		x.event.Sensor.IDs = append(x.event.Sensor.IDs, x.decimal(int64(device)))
	}
}

// cloudGUID reads ORGKEY-<device>-<pid>-00000000-<start>, in hex.
func cloudGUID(s string) (device, pid int, ok bool) {
	parts := strings.Split(s, "-")
	if len(parts) < 5 {
		return 0, 0, false
	}
	parts = parts[len(parts)-4:] // an organisation's key may have hyphens
	d, err := strconv.ParseUint(parts[0], 16, 31)
	if err != nil {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(parts[1], 16, 32)
	return int(d), int(n), err == nil
}

// cloudStartTime is the start of the process, the last part of its GUID.
func cloudStartTime(guid string) time.Time {
	if _, _, ok := cloudGUID(guid); !ok {
		return time.Time{}
	}
	ft, err := strconv.ParseUint(guid[strings.LastIndexByte(guid, '-')+1:], 16, 64)
	if err != nil {
		return time.Time{}
	}
	return filetime(ft)
}

func cloudHostname(x *reading) {
	s := &x.event.Sensor
	name := x.value(keyDeviceName)
	if i := strings.LastIndexByte(name, '\\'); i >= 0 {
		s.Domain, name = name[:i], name[i+1:]
	}
	if s.Hostname = name; s.Hostname != "" {
		s.Hostnames = append(s.Hostnames, s.Hostname)
	}
}

func cloudGroup(x *reading) {
	for _, k := range deviceGroupKeys {
		if name := x.value(k); name != "" {
			x.event.Sensor.Group, x.event.Sensor.Groups = name, []string{name}
			return
		}
	}
}

func cloudOS(x *reading) {
	os := x.pool.lower(x.value(keyDeviceOS))
	if os == "mac" || os == "macos" {
		os = "osx"
	}
	x.event.Sensor.OS = os
}

func cloudPID(x *reading) {
	x.event.Process.PID = x.cloudPIDOf(keyProcessPID, keyProcessGUID)
}

// cloudPIDOf is a process id by its own field or by the process's GUID.
func (x *reading) cloudPIDOf(field, guid key) int {
	if n, ok := integerOf(x.topText(field)); ok && n > 0 && n < 1<<32 {
		return int(n)
	}
	_, pid, _ := cloudGUID(x.topText(guid))
	return pid
}

func cloudTargetPID(x *reading) {
	_, x.event.Target.PID, _ = cloudGUID(x.topText(keyCrossprocGUID))
}

// hashes reads MD5 and SHA-256 from a list that has either or both, and from
// fields of their own.
func (x *reading) hashes(keys []key) (md5, sha256 string) {
	for _, k := range keys {
		for _, s := range x.list(&x.top, x.top.get(k)) {
			switch h := x.hash(s); {
			case len(h) == 32 && md5 == "":
				md5 = h
			case len(h) == 64 && sha256 == "":
				sha256 = h
			}
		}
	}
	return md5, sha256
}

func cloudProcessHashes(x *reading) {
	x.event.Process.MD5, x.event.Process.SHA256 = x.hashes(processHashKeys)
}

func cloudParentHashes(x *reading) {
	x.event.Process.Parent.MD5, x.event.Process.Parent.SHA256 = x.hashes(parentHashKeys)
}

func cloudModuleHashes(x *reading) {
	x.event.Module.MD5, x.event.Module.SHA256 = x.hashes(moduleHashKeys)
}

func cloudFileHashes(x *reading) { x.event.File.MD5, x.event.File.SHA256 = x.hashes(fileHashKeys) }

func cloudTargetHashes(x *reading) {
	x.event.Target.MD5, x.event.Target.SHA256 = x.hashes(targetHashKeys)
}

func cloudScriptHash(x *reading) { _, x.event.Script.SHA256 = x.hashes(scriptHashKeys) }

// cloudStart makes the process that was read the parent of the one that
// started. A process found running when the sensor started is reported without
// a child: then it is the process itself.
func cloudStart(x *reading) {
	for i := range cloudProcess.steps {
		cloudProcess.steps[i].do(x)
	}
	p := &x.event.Process
	p.AlreadyRunning = strings.Contains(x.value(keyAction), "PROCESS_DISCOVERED")
	guid, path := x.value(keyChildprocGUID), x.value(keyChildprocName)
	if guid == "" && path == "" {
		return
	}
	parent := Parent{
		GUID: p.GUID, PID: p.PID, Path: p.Path, Name: p.Name,
		CommandLine: p.CommandLine, User: p.User, MD5: p.MD5, SHA256: p.SHA256,
	}
	*p = Process{
		GUID: guid, PID: x.cloudPIDOf(keyChildprocPID, keyChildprocGUID), Path: path,
		CommandLine: x.value(keyTargetCmdline), User: x.value(keyChildprocUser),
		AlreadyRunning: p.AlreadyRunning, Parent: parent,
	}
	p.MD5, p.SHA256 = x.hashes(childHashKeys)
}

// cloudAction returns the word of the first known action of several joined by bars. An
// open counts only if there is no other known action.
func (x *reading) cloudAction(word func(string) string) string {
	actions := x.topText(keyAction)
	opened := ""
	for action := range strings.SplitSeq(actions, "|") {
		switch w := word(strings.TrimPrefix(strings.TrimSpace(action), "ACTION_")); w {
		case "":
		case "open":
			opened = w
		default:
			return w
		}
	}
	if opened != "" {
		return opened
	}
	first, _, _ := strings.Cut(actions, "|")
	return x.pool.lower(strings.TrimPrefix(strings.TrimSpace(first), "ACTION_"))
}

func cloudFileAction(x *reading) {
	x.event.File.Action = x.cloudAction(func(a string) string {
		switch {
		case a == "FILE_CREATE":
			return "create"
		case a == "FILE_WRITE", a == "FILE_MODIFY":
			return "write"
		case a == "FILE_DELETE":
			return "delete"
		case a == "FILE_LAST_WRITE":
			return "lastwrite"
		case strings.HasPrefix(a, "FILE_OPEN"), a == "FILE_MOD_OPEN":
			return "open"
		}
		return ""
	})
}

func cloudRegistryAction(x *reading) {
	x.event.Reg.Action = x.cloudAction(func(a string) string {
		switch strings.TrimPrefix(a, "REG_") {
		case "CREATE_KEY":
			return "createkey"
		case "WRITE_VALUE":
			return "writeval"
		case "DELETE_KEY":
			return "delkey"
		case "DELETE_VALUE":
			return "delval"
		}
		return ""
	})
}

func cloudCrossAction(x *reading) {
	x.event.Target.Action = x.cloudAction(func(a string) string {
		switch a {
		case "OPEN_PROCESS_HANDLE":
			return "open_process"
		case "OPEN_THREAD_HANDLE":
			return "open_thread"
		case "CREATE_REMOTE_THREAD":
			return "remote_thread"
		}
		return ""
	})
}

func cloudDirection(x *reading) {
	if t := x.top.get(keyNetconnInbound); t.kind > nullToken {
		x.event.Net.Direction = direction(!x.truth(&x.top, t))
	}
}

func cloudProtocol(x *reading) {
	x.event.Net.Protocol = strings.TrimPrefix(x.pool.lower(x.value(keyNetconnProtocol)), "proto_")
}

func cloudProxy(x *reading) {
	x.event.Net.Proxy = x.topText(keyType) == "endpoint.event.netconn_proxy"
	for _, k := range proxyKeys {
		x.event.Net.Proxy = x.event.Net.Proxy || x.value(k) != ""
	}
}
