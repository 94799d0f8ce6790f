package events

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// headerFills are the fields that the header of a sensor event fills: those of the
// acting process.
const headerFills = "process.guid process.pid process.path process.md5 process.sha256 process.start process.fork_pid"

const (
	connectionFills = "net.direction net.protocol net.domain net.local_ip net.local_port net.remote_ip net.remote_port " +
		"net.proxy net.proxy_ip net.proxy_port net.proxy_domain"
	scriptFills = "script.text script.sha256 file.path"
)

// sensorFills are the fields that the bodies of sensor events fill, see the
// functions of sensorbodies.go. A test holds the two together.
var sensorFills = map[protowire.Number]string{
	tagProcess: "process.command_line process.user process.uid process.logon_type process.already_running process.parent.guid " +
		"process.parent.pid process.parent.path process.parent.md5 process.parent.sha256",
	tagModload: "module.path module.md5 module.sha256",
	tagFilemod: "file.path file.action file.type file.md5 file.sha256",
	tagNetwork: connectionFills,
	tagRegmod:  "reg.raw_path reg.action",
	tagModule: "binary.md5 binary.sha256 binary.size binary.paths binary.signed binary.sign_result binary.publisher " +
		"binary.product binary.company binary.description binary.original_name",
	tagChildproc: "child.guid child.pid child.path child.md5 child.sha256 child.command_line child.user " +
		"child.created child.type child.suppressed",
	tagCrossproc:   "target.guid target.pid target.path target.md5 target.sha256 target.access target.action target.is_target",
	tagTamperAlert: "tamper.type",
	tagBlocked: "child.guid child.pid child.path child.md5 child.command_line child.user file.path file.md5 " +
		"block.event block.result block.error",
	tagEmet:             "exploit.mitigation exploit.blocked exploit.message",
	tagNetworkV2:        connectionFills + " net.ja3 net.ja3s",
	tagScriptexe:        scriptFills,
	tagFileBackedScript: scriptFills,
}

// withoutActor are the sensor events that have no acting process.
var withoutActor = map[protowire.Number]bool{tagModule: true}

// sensorFields are the fields that raw sensor events carry as protobuf, by type.
func sensorFields() map[string][]string {
	all := map[string][]string{}
	for num, k := range sensorKinds {
		paths := strings.Fields(sensorFills[num])
		if !withoutActor[num] {
			paths = append(paths, strings.Fields(headerFills)...)
		}
		all[k.typ] = append(all[k.typ], paths...)
	}
	with := func(typ, as string, without string) {
		for _, path := range all[as] {
			if path != without {
				all[typ] = append(all[typ], path)
			}
		}
	}
	with(procendType, "ingress.event.procstart", "process.already_running")
	with(crossopenType, "ingress.event.remotethread", "")
	all["ingress.event.remotethread"] = slices.DeleteFunc(all["ingress.event.remotethread"], func(p string) bool { return p == "target.access" })
	return all
}
