package events

import "strings"

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

var cloudAlert = newShape(AlertRaised, cloudRows, cloudAlertRows, cloudConnectionRows, cloudProcessRows)

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
	for _, name := range cloudAlertTypes {
		all[cloudAlertPrefix+strings.ToLower(name)] = cloudAlert
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
