package events

import (
	"strconv"
	"strings"
)

// This file holds the tables of the Carbon Black Cloud data forwarder: another
// product with other names. Its devices are the event's sensors; they are
// reached by another Live Response than EDR's.

var cloudRows = []row{
	{to: "event.time", as: asTime, in: onlyTop,
		from: "device_timestamp detection_timestamp first_event_timestamp create_time backend_timestamp"},
	{to: "event.received", do: cloudReceived, from: "backend_timestamp"},
	{to: "event.server", do: cloudServer, from: "org_key"},
	{to: "sensor.ids", do: cloudDevice, from: "device_id process_guid"},
	{to: "sensor.hostname sensor.hostnames", do: cloudHostname, from: "device_name"},
	{to: "sensor.group sensor.groups", do: cloudGroup, from: "device_group device_policy"},
	{to: "sensor.os", do: cloudOS, from: "device_os"},
}

var cloudProcessRows = []row{
	{to: "process.guid", from: "process_guid", as: asText, in: onlyTop},
	{to: "process.pid", do: cloudPID, from: "process_pid process_guid"},
	{to: "process.path", from: "process_path process_name", as: asText, in: onlyTop},
	{to: "process.command_line", from: "process_cmdline", as: asText, in: onlyTop},
	{to: "process.user", from: "process_username", as: asText, in: onlyTop},
	{to: "process.md5 process.sha256", do: cloudProcessHashes, from: "process_hash process_md5 process_sha256"},
	{to: "process.start", from: "process_start_time", as: asTime, in: onlyTop},
	{to: "process.parent.guid", from: "parent_guid", as: asText, in: onlyTop},
	{to: "process.parent.pid", from: "parent_pid", as: asInt, in: onlyTop},
	{to: "process.parent.path", from: "parent_path parent_name", as: asText, in: onlyTop},
	{to: "process.parent.command_line", from: "parent_cmdline", as: asText, in: onlyTop},
	{to: "process.parent.md5 process.parent.sha256", do: cloudParentHashes, from: "parent_hash parent_md5 parent_sha256"},
}

// cloudProcess reads process_* and parent_*, of a procstart too.
var cloudProcess = newShape(ProcessStart, cloudProcessRows)

// cloudStartRows is one row because in procstart the process that started is
// the child, and process_* is its parent: no field can be read without knowing
// whether there is a child.
var cloudStartRows = []row{{
	to: "process.guid process.pid process.path process.name process.command_line process.user process.md5 process.sha256 process.start " +
		"process.already_running process.parent.guid process.parent.pid process.parent.path process.parent.name " +
		"process.parent.command_line process.parent.md5 process.parent.sha256",
	from: "childproc_guid childproc_pid childproc_name childproc_username childproc_hash childproc_md5 childproc_sha256 target_cmdline action " +
		keyList(cloudProcessRows),
	do: cloudStart,
}}

// keyList joins the keys of a table.
func keyList(rows []row) string {
	var keys []string
	for _, r := range rows {
		keys = append(keys, r.from)
	}
	return strings.Join(keys, " ")
}

var cloudModuleRows = []row{
	{to: "module.path", from: "modload_name", as: asText, in: onlyTop},
	{to: "module.md5 module.sha256", do: cloudModuleHashes, from: "modload_hash modload_md5 modload_sha256"},
}

var cloudFileRows = []row{
	{to: "file.path", from: "filemod_name", as: asText, in: onlyTop},
	{to: "file.action", do: cloudFileAction, from: "action"},
	{to: "file.md5 file.sha256", do: cloudFileHashes, from: "filemod_hash filemod_md5 filemod_sha256"},
}

var cloudRegistryRows = []row{
	{to: "reg.raw_path", from: "regmod_name", as: asText, in: onlyTop},
	{to: "reg.action", do: cloudRegistryAction, from: "action"},
}

var cloudConnectionRows = []row{
	{to: "net.direction", do: cloudDirection, from: "netconn_inbound"},
	{to: "net.protocol", do: cloudProtocol, from: "netconn_protocol"},
	{to: "net.domain", from: "netconn_domain netconn_remote_domain", as: asText, in: onlyTop},
	{to: "net.local_ip", from: "local_ip netconn_local_ip netconn_local_ipv4 netconn_local_ipv6", as: asIP, in: onlyTop},
	{to: "net.local_port", from: "local_port netconn_local_port", as: asPort, in: onlyTop},
	{to: "net.remote_ip", from: "remote_ip netconn_remote_ip netconn_remote_ipv4 netconn_remote_ipv6", as: asIP, in: onlyTop},
	{to: "net.remote_port", from: "remote_port netconn_remote_port", as: asPort, in: onlyTop},
	{to: "net.proxy_ip", from: "netconn_proxy_ip", as: asIP, in: onlyTop},
	{to: "net.proxy_port", from: "netconn_proxy_port", as: asPort, in: onlyTop},
	{to: "net.proxy_domain", from: "netconn_proxy_domain", as: asText, in: onlyTop},
	{to: "net.proxy", do: cloudProxy, from: "type netconn_proxy_ip netconn_proxy_domain"},
}

var cloudTargetRows = []row{
	{to: "target.guid", from: "crossproc_guid", as: asText, in: onlyTop},
	{to: "target.path", from: "crossproc_name", as: asText, in: onlyTop},
	{to: "target.md5 target.sha256", do: cloudTargetHashes, from: "crossproc_hash crossproc_md5 crossproc_sha256"},
	{to: "target.action", do: cloudCrossAction, from: "action"},
	{to: "target.is_target", from: "crossproc_target", as: asFlag, in: onlyTop},
	{to: "target.pid", do: cloudTargetPID, from: "crossproc_guid"},
}

var cloudScriptRows = []row{
	{to: "script.text", from: "fileless_scriptload_cmdline scriptload_content", as: asText, in: onlyTop},
	{to: "script.sha256", do: cloudScriptHash, from: "scriptload_hash fileless_scriptload_hash scriptload_sha256"},
	{to: "file.path", from: "scriptload_name", as: asText, in: onlyTop},
}

var cloudAlertRows = []row{
	{to: "alert.id", from: "id alert_id", as: asText, in: onlyTop},
	{to: "alert.severity", from: "severity", as: asFloat, in: onlyTop}, // 1 to 10 in this product
	{to: "alert.status", do: cloudStatus, from: "workflow status"},
	{to: "alert.type", from: "type", as: asText, in: onlyTop},
	{to: "watchlist.name watchlist.id", do: cloudWatchlist, from: "watchlists name id"},
	{to: "feed.report_id", from: "report_id", as: asText, in: onlyTop},
	{to: "feed.report_title", from: "report_name", as: asText, in: onlyTop},
	{to: "ioc.value", from: "ioc_hit", as: asText, in: onlyTop},
	{to: "ioc.type", from: "ioc_field", as: asText, in: onlyTop},
}

// The canonical types of what has no type of its own form.
const (
	cloudAlertPrefix = "alert.cloud."
	cloudHitType     = "watchlist.hit"
)

var cloudAlertTypes = []string{
	"CB_ANALYTICS", "WATCHLIST", "DEVICE_CONTROL", "HOST_BASED_FIREWALL", "INTRUSION_DETECTION_SYSTEM", "CONTAINER_RUNTIME",
}

// cloudShapes are Carbon Black Cloud's events by type.
func cloudShapes() map[string]*shape {
	raw := func(kind Kind, own ...[]row) *shape {
		return newShape(kind, append([][]row{cloudRows}, own...)...)
	}
	script := raw(ScriptLoad, cloudScriptRows, cloudProcessRows)
	connection := raw(Network, cloudConnectionRows, cloudProcessRows)
	all := map[string]*shape{
		"endpoint.event.procstart":           raw(ProcessStart, cloudStartRows),
		"endpoint.event.procend":             raw(ProcessEnd, cloudProcessRows),
		"endpoint.event.moduleload":          raw(ModuleLoad, cloudModuleRows, cloudProcessRows),
		"endpoint.event.scriptload":          script,
		"endpoint.event.fileless_scriptload": script,
		"endpoint.event.filemod":             raw(FileChange, cloudFileRows, cloudProcessRows),
		"endpoint.event.regmod":              raw(Registry, cloudRegistryRows, cloudProcessRows),
		"endpoint.event.netconn":             connection,
		"endpoint.event.netconn_proxy":       connection,
		"endpoint.event.crossproc":           raw(CrossProcess, cloudTargetRows, cloudProcessRows),
		"endpoint.event.apicall":             raw(Other, cloudProcessRows),
		cloudHitType:                         raw(WatchlistHit, cloudAlertRows, cloudProcessRows),
		"auth.event":                         raw(Audit),
	}
	alert := raw(AlertRaised, cloudAlertRows, cloudConnectionRows, cloudProcessRows)
	for _, name := range cloudAlertTypes {
		all[cloudAlertPrefix+strings.ToLower(name)] = alert
	}
	return all
}

// cloudType is the canonical type of an event of Carbon Black Cloud, "" for one
// that is not: told by its type's prefix, or by the organisation's key.
func (p *pass) cloudType(typ string) string {
	switch {
	case strings.HasPrefix(typ, "endpoint.event."):
		return typ
	case !p.Cloud && p.reading.top.get(keyOrgKey).kind != stringToken:
		return ""
	case strings.HasPrefix(typ, "auth.event"):
		return "auth.event"
	case typ == cloudHitType:
		return typ
	case typ != "" && typ == strings.ToUpper(typ):
		return cloudAlertPrefix + strings.ToLower(typ)
	}
	return ""
}

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
	keyWorkflow         = keyOf("workflow")
	keyStatus           = keyOf("status")
	keyWatchlists       = keyOf("watchlists")
	keyName             = keyOf("name")
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

func cloudServer(x *reading) {
	if m := &x.event.Event; m.Server == "" {
		m.Server = x.topText(keyOrgKey)
	}
}

// cloudDevice takes the device from its field, or from a process's GUID.
func cloudDevice(x *reading) {
	if x.addSensor(x.topText(keyDeviceID)) {
		return
	}
	if device, _, ok := cloudGUID(x.topText(keyProcessGUID)); ok && device > 0 {
		x.event.Sensor.IDs = append(x.event.Sensor.IDs, device)
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

func cloudHostname(x *reading) {
	s := &x.event.Sensor
	if s.Hostname = x.topText(keyDeviceName); s.Hostname != "" {
		s.Hostnames = append(s.Hostnames, s.Hostname)
	}
}

func cloudGroup(x *reading) {
	for _, k := range deviceGroupKeys {
		if name := x.topText(k); name != "" {
			x.event.Sensor.Group, x.event.Sensor.Groups = name, []string{name}
			return
		}
	}
}

func cloudOS(x *reading) {
	os := x.pool.lower(x.topText(keyDeviceOS))
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
	p.AlreadyRunning = strings.Contains(x.topText(keyAction), "PROCESS_DISCOVERED")
	guid, path := x.topText(keyChildprocGUID), x.topText(keyChildprocName)
	if guid == "" && path == "" {
		return
	}
	parent := Parent{
		GUID: p.GUID, PID: p.PID, Path: p.Path, Name: p.Name,
		CommandLine: p.CommandLine, MD5: p.MD5, SHA256: p.SHA256,
	}
	*p = Process{
		GUID: guid, PID: x.cloudPIDOf(keyChildprocPID, keyChildprocGUID), Path: path,
		CommandLine: x.topText(keyTargetCmdline), User: x.topText(keyChildprocUser),
		AlreadyRunning: p.AlreadyRunning, Parent: parent,
	}
	p.MD5, p.SHA256 = x.hashes(childHashKeys)
}

// cloudAction finds the first action that has a word, of several joined by bars.
// That something was opened counts only when nothing else is known of it.
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
	x.event.Net.Protocol = strings.TrimPrefix(x.pool.lower(x.topText(keyNetconnProtocol)), "proto_")
}

func cloudProxy(x *reading) {
	x.event.Net.Proxy = x.topText(keyType) == "endpoint.event.netconn_proxy"
	for _, k := range proxyKeys {
		x.event.Net.Proxy = x.event.Net.Proxy || x.topText(k) != ""
	}
}

func cloudStatus(x *reading) {
	t := x.top.get(keyWorkflow)
	if t.kind != objectToken {
		x.event.Alert.Status = x.topText(keyStatus)
		return
	}
	x.within(x.top.s[t.start:t.end], func() { x.event.Alert.Status = x.topText(keyStatus) })
}

// cloudWatchlist takes the first of an alert's watchlists. Their ids are text
// in this product and stay in Event.Raw.
func cloudWatchlist(x *reading) {
	t := x.top.get(keyWatchlists)
	if t.kind != arrayToken {
		return
	}
	list := x.top.s[t.start:t.end]
	for element := range elements(list) {
		if element.kind == objectToken {
			x.within(list[element.start:element.end], func() {
				w := &x.event.Watchlist
				w.Name = x.topText(keyName)
				w.ID, _ = integerOf(x.topText(keyID))
			})
			return
		}
	}
}
