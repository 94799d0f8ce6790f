package events

import (
	"strconv"
	"strings"
)

// This file holds the tables of raw sensor events as the event forwarder prints
// them. 3.7 and 3.8 differ in many key names; where both are known, the row has
// both. What the two write under the other's name (tamper and tamper_sent of a
// registry event) is left to Event.Raw.

// actorRows read the acting process. md5 and sha256 are not among them: what
// they belong to differs from type to type.
var actorRows = []row{
	{to: "process.guid process.segment", do: findProcess, from: "process_guid process_id link_process segment_id"},
	{to: "process.pid", from: "pid", as: asPID, in: onlyTop},
	{to: "process.path", from: "process_path", as: asText, in: onlyTop},
	{to: "process.fork_pid", from: "fork_pid", as: asPID, in: onlyTop},
}

var actorHashRows = []row{
	{to: "process.md5", from: "md5", as: asHash, in: onlyTop},
	{to: "process.sha256", from: "sha256", as: asHash, in: onlyTop},
}

var procRows = []row{
	{to: "process.path", from: "path process_path", as: asText, in: onlyTop},
	{to: "process.command_line", from: "command_line", as: asText, in: onlyTop},
	{to: "process.user", from: "username", as: asText, in: onlyTop},
	{to: "process.uid", from: "uid", as: asText, in: onlyTop},
	{to: "process.logon_type", from: "logon_type", as: asInt, in: onlyTop},
	{to: "process.parent.guid", do: findParent, from: "parent_process_guid parent_unique_id parent_guid link_parent"},
	{to: "process.parent.pid", from: "parent_pid", as: asInt, in: onlyTop}, // -1: unknown to the sensor,
	{to: "process.parent.path", from: "parent_path", as: asText, in: onlyTop},
	{to: "process.parent.md5", from: "parent_md5", as: asHash, in: onlyTop},
	{to: "process.parent.sha256", from: "parent_sha256", as: asHash, in: onlyTop},
}

var childRows = []row{
	{to: "child.guid", do: findChild, from: "child_process_guid link_child"},
	{to: "child.pid", from: "child_pid", as: asPID, in: onlyTop},
	{to: "child.path", from: "path", as: asText, in: onlyTop},
	{to: "child.md5", from: "md5", as: asHash, in: onlyTop},
	{to: "child.sha256", from: "sha256", as: asHash, in: onlyTop},
	{to: "child.command_line", from: "childproc_commandline child_command_line", as: asText, in: onlyTop},
	{to: "child.user", from: "childproc_username child_username", as: asText, in: onlyTop},
	{to: "child.created", from: "created", as: asFlag, in: onlyTop},
	{to: "child.type", do: findChildType, from: "childproc_type"},
	{to: "child.suppressed", from: "childproc_suppressed child_suppressed", as: asFlag, in: onlyTop},
	{to: "process.guid process.segment", do: findProcessOrParent, from: "process_guid process_id link_process segment_id parent_guid"},
}

var moduleRows = []row{
	{to: "module.path", from: "path", as: asText, in: onlyTop},
	{to: "module.md5", from: "md5", as: asHash, in: onlyTop},
	{to: "module.sha256", from: "sha256", as: asHash, in: onlyTop},
}

var fileRows = []row{
	{to: "file.path", from: "path", as: asText, in: onlyTop},
	{to: "file.action", do: findFileAction, from: "action action_type actiontype"},
	{to: "file.type", do: findFileType, from: "filetype_name file_type filetype"},
	{to: "file.md5", from: "file_md5", as: asHash, in: onlyTop},
	{to: "file.sha256", from: "file_sha256", as: asHash, in: onlyTop},
}

var registryRows = []row{
	{to: "reg.raw_path", from: "path", as: asText, in: onlyTop},
	{to: "reg.action", do: findRegistryAction, from: "action action_type actiontype"},
}

var netconnRows = []row{
	{to: "net.direction", from: "direction", as: asWord, in: onlyTop},
	{to: "net.protocol", do: findProtocol, from: "protocol Protocol"},
	{to: "net.domain", from: "domain", as: asText, in: onlyTop},
	{to: "net.local_ip", from: "local_ip", as: asIP, in: onlyTop},
	{to: "net.local_port", from: "local_port", as: asPort, in: onlyTop},
	{to: "net.remote_ip", from: "remote_ip ipv4", as: asIP, in: onlyTop},
	{to: "net.remote_port", from: "remote_port port", as: asPort, in: onlyTop},
	{to: "net.proxy", from: "proxy", as: asFlag, in: onlyTop},
	{to: "net.proxy_ip", from: "proxy_ip", as: asIP, in: onlyTop},
	{to: "net.proxy_port", from: "proxy_port", as: asPort, in: onlyTop},
	{to: "net.proxy_domain", from: "proxy_domain", as: asText, in: onlyTop},
	{to: "net.ja3", from: "ja3", as: asText, in: onlyTop},
	{to: "net.ja3s", from: "ja3s", as: asText, in: onlyTop},
}

var targetRows = []row{
	{to: "target.guid", do: findTarget, from: "target_process_guid link_target"},
	{to: "target.pid", from: "target_pid", as: asPID, in: onlyTop},
	{to: "target.path", from: "target_path", as: asText, in: onlyTop},
	{to: "target.md5", from: "target_md5", as: asHash, in: onlyTop},
	{to: "target.sha256", from: "target_sha256", as: asHash, in: onlyTop},
	{to: "target.access", from: "requested_access", as: asLong, in: onlyTop},
	{to: "target.action", from: "cross_process_type", as: asWord, in: onlyTop},
	{to: "target.is_target", from: "is_target", as: asFlag, in: onlyTop},
}

var scriptRows = []row{
	{to: "script.text", from: "script", as: asText, in: onlyTop},
	{to: "script.sha256", from: "script_sha256", as: asHash, in: onlyTop},
}

// blockRows: the stopped process is the child, its image the file. Who started
// it is lost in the forwarder.
var blockRows = []row{
	{to: "child.guid", do: findBlockedGUID, from: "process_guid"},
	{to: "child.pid", from: "pid", as: asPID, in: onlyTop},
	{to: "child.path", from: "path", as: asText, in: onlyTop},
	{to: "child.md5", from: "md5", as: asHash, in: onlyTop},
	{to: "child.command_line", from: "command_line", as: asText, in: onlyTop},
	{to: "child.user", from: "username", as: asText, in: onlyTop},
	{to: "file.path", from: "path", as: asText, in: onlyTop},
	{to: "file.md5", from: "md5", as: asHash, in: onlyTop},
	{to: "block.event", from: "blocked_event", as: asText, in: onlyTop},
	{to: "block.result", from: "blocked_result", as: asText, in: onlyTop},
	{to: "block.error", from: "blocked_error", as: asLong, in: onlyTop},
}

var exploitRows = []row{
	{to: "exploit.mitigation", from: "mitigation", as: asText, in: onlyTop},
	{to: "exploit.blocked", from: "blocked", as: asFlag, in: onlyTop},
	{to: "exploit.message", from: "log_message", as: asText, in: onlyTop},
}

var tamperRows = []row{
	{to: "tamper.type", from: "tamper_type", as: asText, in: onlyTop},
}

// binaryInfoRows: 3.7 begins the keys with utf8_, 3.8 with utf_8_.
var binaryInfoRows = []row{
	{to: "binary.md5", from: "md5", as: asHash, in: onlyTop},
	{to: "binary.sha256", from: "sha256", as: asHash, in: onlyTop},
	{to: "binary.size", from: "size", as: asLong, in: onlyTop},
	{to: "binary.paths", from: "utf_8_on_disk_filename utf8_on_disk_filename", as: asList, in: onlyTop},
	{to: "binary.product", from: "utf_8_product_name utf8_product_name", as: asText, in: onlyTop},
	{to: "binary.company", from: "utf_8_company_name utf8_company_name", as: asText, in: onlyTop},
	{to: "binary.description", as: asText, in: onlyTop,
		from: "utf_8_file_dscription utf_8_file_description utf8_file_description"},
	{to: "binary.original_name", from: "utf_8_original_file_name utf8_original_file_name", as: asText, in: onlyTop},
	{to: "binary.sign_result binary.signed binary.publisher", do: findSignature, from: "digsig result publisher"},
}

// forwarderShapes are the raw sensor events by canonical type.
func forwarderShapes() map[string]*shape {
	raw := func(kind Kind, tables ...[]row) *shape {
		return newShape(kind, append(tables, commonRows)...)
	}
	script := raw(ScriptLoad, scriptRows, actorRows, actorHashRows)
	cross := raw(CrossProcess, targetRows, actorRows, actorHashRows)
	return map[string]*shape{
		"ingress.event.procstart":          raw(ProcessStart, procRows, actorRows, actorHashRows),
		"ingress.event.procend":            raw(ProcessEnd, procRows, actorRows, actorHashRows),
		"ingress.event.childproc":          raw(ChildProcess, childRows, actorRows),
		"ingress.event.moduleload":         raw(ModuleLoad, moduleRows, actorRows),
		"ingress.event.filemod":            raw(FileChange, fileRows, actorRows, actorHashRows),
		"ingress.event.regmod":             raw(Registry, registryRows, actorRows, actorHashRows),
		"ingress.event.netconn":            raw(Network, netconnRows, actorRows, actorHashRows),
		"ingress.event.crossprocopen":      cross,
		"ingress.event.remotethread":       cross,
		"ingress.event.filelessscriptload": script,
		"ingress.event.scriptload":         script,
		"ingress.event.processblock":       raw(Blocked, blockRows),
		"ingress.event.emetmitigation":     raw(ExploitGuard, exploitRows, actorRows, actorHashRows),
		"ingress.event.tamper":             raw(TamperAlert, tamperRows),
		"ingress.event.module":             raw(BinaryInfo, binaryInfoRows),
	}
}

var (
	keyChildGUID     = keyOf("child_process_guid")
	keyTargetGUID    = keyOf("target_process_guid")
	keyChildType     = keyOf("childproc_type")
	keyParentGUID    = keyOf("parent_guid")
	keyAction        = keyOf("action")
	actionNumberKeys = keysOf("action_type", "actiontype")
	keyFileTypeName  = keyOf("filetype_name")
	fileTypeKeys     = keysOf("file_type", "filetype")
	protocolKeys     = keysOf("protocol", "Protocol")
	keyDigsig        = keyOf("digsig")
	keyResult        = keyOf("result")
	keyPublisher     = keyOf("publisher")
)

func findChild(x *reading) {
	x.event.Child.GUID, _ = x.firstGUID(&x.top, []key{keyChildGUID}, keyLinkChild)
}

func findTarget(x *reading) {
	x.event.Target.GUID, _ = x.firstGUID(&x.top, []key{keyTargetGUID}, keyLinkTarget)
}

// findBlockedGUID: in this one type process_guid is the stopped process.
func findBlockedGUID(x *reading) {
	x.event.Child.GUID, _ = x.firstGUID(&x.top, []key{keyProcessGUID}, keyLinkProcess)
}

// findProcessOrParent: 3.8 names the process that started a child twice, the
// second time as the child's parent.
func findProcessOrParent(x *reading) {
	if findProcess(x); x.event.Process.GUID == "" {
		x.event.Process.GUID, x.event.Process.Segment = x.firstGUID(&x.top, []key{keyParentGUID}, keyLinkProcess)
	}
}

func findChildType(x *reading) {
	switch s := x.lookText(keyChildType); strings.ToLower(s) {
	case "exec":
		x.event.Child.Type = childTypes[0]
	case "fork":
		x.event.Child.Type = childTypes[1]
	case "otherexec", "other_exec":
		x.event.Child.Type = childTypes[2]
	default:
		x.event.Child.Type = s
	}
}

// findFileAction: the number is the sensor's own; the word is missing for what
// the forwarder has none ("unknown (16)").
func findFileAction(x *reading) { x.event.File.Action = x.action(fileActions) }

func findRegistryAction(x *reading) { x.event.Reg.Action = x.action(registryActions) }

func (x *reading) action(names func(int64) string) string {
	for _, k := range actionNumberKeys {
		if n, ok := integerOf(x.plainText(&x.top, x.top.get(k))); ok {
			if name := names(n); name != "" {
				return name
			}
		}
	}
	return x.pool.lower(x.plainText(&x.top, x.top.get(keyAction)))
}

func findFileType(x *reading) {
	if x.event.File.Type = x.lookText(keyFileTypeName); x.event.File.Type != "" {
		return
	}
	for _, k := range fileTypeKeys {
		if n, ok := integerOf(x.plainText(&x.top, x.top.get(k))); ok {
			x.event.File.Type = fileType(n)
			return
		}
	}
}

// findProtocol reads a protocol's number or name.
func findProtocol(x *reading) {
	for _, k := range protocolKeys {
		s := x.pool.lower(x.plainText(&x.top, x.top.get(k)))
		if s == "" {
			continue
		}
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			s = protocolName(n)
		}
		x.event.Net.Protocol = s
		return
	}
}

func findSignature(x *reading) {
	t := x.top.get(keyDigsig)
	if t.kind != objectToken {
		return
	}
	x.within(x.top.s[t.start:t.end], func() {
		b := &x.event.Binary
		b.SignResult = x.plainText(&x.top, x.top.get(keyResult))
		b.Signed = b.SignResult == "Signed"
		b.Publisher = x.plainText(&x.top, x.top.get(keyPublisher))
	})
}
