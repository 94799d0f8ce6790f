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
	{to: "sensor.hostname sensor.hostnames sensor.domain", do: cloudHostname, from: "device_name"},
	{to: "sensor.group sensor.groups", do: cloudGroup, from: "device_group device_policy"},
	{to: "sensor.os", do: cloudOS, from: "device_os"},
	{to: "sensor.os_version", from: "device_os_version", as: asValue, in: onlyTop},
	{to: "sensor.internal_ip", from: "device_internal_ip", as: asIP, in: onlyTop},
	{to: "sensor.external_ip", from: "device_external_ip", as: asIP, in: onlyTop},
	{to: "sensor.location", from: "device_location", as: asValue, in: onlyTop},
	{to: "sensor.user", from: "device_username", as: asValue, in: onlyTop},
	{to: "sensor.priority", from: "device_target_value device_target_priority", as: asValue, in: onlyTop},
}

// cloudEndpointRows are the rows common to all endpoint events.
var cloudEndpointRows = []row{
	{to: "event.sensor_action", from: "sensor_action", as: asValue, in: onlyTop},
	{to: "event.origin", from: "event_origin", as: asValue, in: onlyTop},
}

var cloudProcessRows = []row{
	{to: "process.guid", from: "process_guid", as: asValue, in: onlyTop},
	{to: "process.pid", do: cloudPID, from: "process_pid process_guid"},
	{to: "process.path", from: "process_path process_name", as: asValue, in: onlyTop},
	{to: "process.command_line", from: "process_cmdline", as: asValue, in: onlyTop},
	{to: "process.user", from: "process_username", as: asValue, in: onlyTop},
	{to: "process.md5 process.sha256", do: cloudProcessHashes, from: "process_hash process_md5 process_sha256"},
	{to: "process.start", from: "process_start_time", as: asTime, in: onlyTop},
	{to: "process.parent.guid", from: "parent_guid", as: asValue, in: onlyTop},
	{to: "process.parent.pid", from: "parent_pid", as: asInt, in: onlyTop},
	{to: "process.parent.path", from: "parent_path parent_name", as: asValue, in: onlyTop},
	{to: "process.parent.command_line", from: "parent_cmdline", as: asValue, in: onlyTop},
	{to: "process.parent.user", from: "parent_username", as: asValue, in: onlyTop},
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
		"process.parent.command_line process.parent.user process.parent.md5 process.parent.sha256",
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
	{to: "module.path", from: "modload_name", as: asValue, in: onlyTop},
	{to: "module.md5 module.sha256", do: cloudModuleHashes, from: "modload_hash modload_md5 modload_sha256"},
}

var cloudFileRows = []row{
	{to: "file.path", from: "filemod_name", as: asValue, in: onlyTop},
	{to: "file.action", do: cloudFileAction, from: "action"},
	{to: "file.md5 file.sha256", do: cloudFileHashes, from: "filemod_hash filemod_md5 filemod_sha256"},
}

var cloudRegistryRows = []row{
	{to: "reg.raw_path", from: "regmod_name", as: asValue, in: onlyTop},
	{to: "reg.action", do: cloudRegistryAction, from: "action"},
}

var cloudConnectionRows = []row{
	{to: "net.direction", do: cloudDirection, from: "netconn_inbound"},
	{to: "net.protocol", do: cloudProtocol, from: "netconn_protocol"},
	{to: "net.domain", from: "netconn_domain netconn_remote_domain", as: asValue, in: onlyTop},
	{to: "net.local_ip", from: "local_ip netconn_local_ip netconn_local_ipv4 netconn_local_ipv6", as: asIP, in: onlyTop},
	{to: "net.local_port", from: "local_port netconn_local_port", as: asPort, in: onlyTop},
	{to: "net.remote_ip", from: "remote_ip netconn_remote_ip netconn_remote_ipv4 netconn_remote_ipv6", as: asIP, in: onlyTop},
	{to: "net.remote_port", from: "remote_port netconn_remote_port", as: asPort, in: onlyTop},
	{to: "net.ja3", from: "netconn_ja3_local_fingerprint", as: asValue, in: onlyTop},
	{to: "net.ja3s", from: "netconn_ja3_remote_fingerprint", as: asValue, in: onlyTop},
	{to: "net.bytes_sent", from: "netconn_bytes_sent", as: asLong, in: onlyTop},
	{to: "net.bytes_received", from: "netconn_bytes_received", as: asLong, in: onlyTop},
	{to: "net.dns_query", from: "netconn_dns_query_name", as: asValue, in: onlyTop},
	{to: "net.proxy_ip", from: "netconn_proxy_ip", as: asIP, in: onlyTop},
	{to: "net.proxy_port", from: "netconn_proxy_port", as: asPort, in: onlyTop},
	{to: "net.proxy_domain", from: "netconn_proxy_domain", as: asValue, in: onlyTop},
	{to: "net.proxy", do: cloudProxy, from: "type netconn_proxy_ip netconn_proxy_domain"},
}

var cloudTargetRows = []row{
	{to: "target.guid", from: "crossproc_guid", as: asValue, in: onlyTop},
	{to: "target.path", from: "crossproc_name", as: asValue, in: onlyTop},
	{to: "target.md5 target.sha256", do: cloudTargetHashes, from: "crossproc_hash crossproc_md5 crossproc_sha256"},
	{to: "target.action", do: cloudCrossAction, from: "action"},
	{to: "target.is_target", from: "crossproc_target", as: asFlag, in: onlyTop},
	{to: "target.pid", do: cloudTargetPID, from: "crossproc_guid"},
}

var cloudScriptRows = []row{
	{to: "script.text", from: "fileless_scriptload_cmdline scriptload_content", as: asText, in: onlyTop},
	{to: "script.sha256", do: cloudScriptHash, from: "scriptload_hash fileless_scriptload_hash scriptload_sha256"},
	{to: "file.path", from: "scriptload_name", as: asValue, in: onlyTop},
}

// cloudHitRows are read of watchlist hits and of alerts.
var cloudHitRows = []row{
	{to: "alert.id", from: "alert_id", as: asValue, in: onlyTop},
	{to: "alert.type", from: "type", as: asText, in: onlyTop},
	{to: "alert.severity", from: "severity", as: asFloat, in: onlyTop}, // 1 to 10 in this product
	{to: "watchlist.name watchlist.id watchlist.names watchlist.ids", do: cloudWatchlists, from: "watchlists name id"},
	{to: "feed.report_id", from: "report_id", as: asValue, in: onlyTop},
	{to: "feed.report_title", from: "report_name", as: asValue, in: onlyTop},
	{to: "feed.report_tags", from: "report_tags", as: asList, in: onlyTop},
	{to: "ioc.id", from: "ioc_id", as: asValue, in: onlyTop},
	{to: "ioc.value", from: "ioc_hit", as: asValue, in: onlyTop},
	{to: "ioc.type", from: "ioc_field", as: asValue, in: onlyTop},
}

var cloudAlertRows = []row{
	{to: "alert.id", from: "id alert_id", as: asValue, in: onlyTop},
	{to: "alert.key", do: cloudAlertKey, from: "org_key id alert_id"},
	{to: "alert.status alert.closure_reason alert.changed_by alert.changed_by_type", do: cloudWorkflow,
		from: "workflow status closure_reason changed_by changed_by_type"},
	{to: "alert.type", from: "type", as: asText, in: onlyTop},
	{to: "alert.updated", from: "is_updated", as: asFlag, in: onlyTop},
	{to: "alert.update_time", from: "backend_update_timestamp", as: asTime, in: onlyTop},
	{to: "alert.reason", from: "reason", as: asValue, in: onlyTop},
	{to: "alert.reason_code", from: "reason_code", as: asValue, in: onlyTop},
	{to: "alert.threat_id", from: "threat_id", as: asValue, in: onlyTop},
	{to: "alert.url", from: "alert_url", as: asValue, in: onlyTop},
	{to: "alert.action", from: "sensor_action", as: asValue, in: onlyTop},
	{to: "alert.policy_applied", do: cloudPolicyApplied, from: "policy_applied"},
	{to: "alert.run_state", from: "run_state", as: asValue, in: onlyTop},
	{to: "alert.determination", do: cloudDetermination, from: "determination value"},
	{to: "alert.ttps", from: "ttps", as: asList, in: onlyTop},
	{to: "alert.tactic", from: "attack_tactic", as: asValue, in: onlyTop},
	{to: "alert.technique", from: "attack_technique", as: asValue, in: onlyTop},
	{to: "process.reputation", from: "process_effective_reputation process_reputation", as: asValue, in: onlyTop},
	{to: "block.path", from: "blocked_name", as: asValue, in: onlyTop},
	{to: "block.sha256", from: "blocked_sha256", as: asHash, in: onlyTop},
	{to: "usb.name", from: "external_device_friendly_name", as: asValue, in: onlyTop},
	{to: "usb.vendor", from: "vendor_name", as: asValue, in: onlyTop},
	{to: "usb.vendor_id", from: "vendor_id", as: asValue, in: onlyTop},
	{to: "usb.product", from: "product_name", as: asValue, in: onlyTop},
	{to: "usb.product_id", from: "product_id", as: asValue, in: onlyTop},
	{to: "usb.serial", from: "serial_number", as: asValue, in: onlyTop},
	{to: "firewall.rule_id", from: "rule_id", as: asValue, in: onlyTop},
	{to: "firewall.rule_name", from: "rule_config_name", as: asValue, in: onlyTop},
	{to: "ids.rule_id", from: "tms_rule_id", as: asValue, in: onlyTop},
	{to: "ids.threat", from: "threat_name", as: asValue, in: onlyTop},
	{to: "k8s.cluster", from: "k8s_cluster", as: asValue, in: onlyTop},
	{to: "k8s.namespace", from: "k8s_namespace", as: asValue, in: onlyTop},
	{to: "k8s.workload", from: "k8s_workload_name k8s_workload", as: asValue, in: onlyTop},
	{to: "k8s.pod", from: "k8s_pod_name k8s_pod", as: asValue, in: onlyTop},
	{to: "k8s.rule", from: "k8s_rule", as: asValue, in: onlyTop},
}

var cloudAuthRows = []row{
	{to: "auth.action", from: "auth_event_action", as: asValue, in: onlyTop},
	{to: "auth.user", from: "auth_username", as: asValue, in: onlyTop},
	{to: "auth.domain", from: "auth_domain_name", as: asValue, in: onlyTop},
	{to: "auth.remote_ip", from: "auth_remote_ipv4 auth_remote_ipv6", as: asIP, in: onlyTop},
	{to: "auth.remote_host", from: "auth_remote_device", as: asValue, in: onlyTop},
	{to: "auth.logon_type", from: "auth_logon_type", as: asInt, in: onlyTop},
	{to: "auth.remote_port", from: "auth_remote_port", as: asPort, in: onlyTop},
	{to: "auth.failure_status", from: "auth_failure_status", as: asInt, in: onlyTop},
	{to: "auth.failed_count", from: "auth_failed_logon_count", as: asInt, in: onlyTop},
}

// cloudAuditRows read audit records, which have no type; the second names are those
// of the older audit API.
var cloudAuditRows = []row{
	{to: "audit.actor", from: "actor loginName", as: asValue, in: onlyTop},
	{to: "audit.actor_ip", from: "actor_ip clientIp", as: asValue, in: onlyTop},
	{to: "audit.text", from: "description", as: asValue, in: onlyTop},
	{to: "audit.url", from: "request_url requestUrl", as: asValue, in: onlyTop},
	{to: "audit.flagged", from: "flagged", as: asFlag, in: onlyTop},
	{to: "event.time", from: "create_time eventTime", as: asTimeOrMillis, in: onlyTop},
	{to: "event.server", do: cloudServer, from: "org_key"},
}

// The canonical types of what has no type of its own form.
const (
	cloudAlertPrefix = "alert.cloud."
	cloudHitType     = "watchlist.hit"
	cloudAuditType   = "audit.cloud"
)

var cloudAlertTypes = []string{
	"CB_ANALYTICS", "WATCHLIST", "DEVICE_CONTROL", "HOST_BASED_FIREWALL", "INTRUSION_DETECTION_SYSTEM", "CONTAINER_RUNTIME",
}

var cloudAlert = newShape(AlertRaised, cloudRows, cloudAlertRows, cloudHitRows, cloudConnectionRows, cloudProcessRows)

// cloudShapes are Carbon Black Cloud's events by type.
func cloudShapes() map[string]*shape {
	raw := func(kind Kind, own ...[]row) *shape {
		return newShape(kind, append([][]row{cloudRows, cloudEndpointRows}, own...)...)
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
		cloudHitType:                         newShape(WatchlistHit, cloudRows, cloudHitRows, cloudProcessRows),
		"auth.event":                         newShape(Audit, cloudRows, cloudAuthRows, cloudProcessRows),
		cloudAuditType:                       newShape(Audit, cloudAuditRows),
	}
	for _, name := range cloudAlertTypes {
		all[cloudAlertPrefix+strings.ToLower(name)] = cloudAlert
	}
	return all
}

// cloudType is the canonical type of an event of Carbon Black Cloud, "" for another
// product's. It is recognised by its type's prefix or by the organisation's key.
func (p *pass) cloudType(typ string) string {
	switch {
	case strings.HasPrefix(typ, "endpoint.event."):
		return typ
	case typ == "" && p.isAuditRecord():
		return cloudAuditType
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
