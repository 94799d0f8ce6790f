package edrsim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CloudQuirks lists the quirks of KindCloud: behaviour that no public source documents.
func CloudQuirks() []Quirk { return slices.Clone(cloudQuirkTable) }

var cloudQuirkTable = []Quirk{
	{"action-reply", []string{"204", "200"}, "Answer to a device action: without a body, or with JSON.", nil},
	{"ban-filename", []string{"optional", "required"}, "Whether a reputation override needs a filename.", nil},
	{"cancel-running", []string{"409", "204"}, "Answer to cancelling a command that has begun.", nil},
	{"cancelled", []string{"readable", "gone"}, "Whether a cancelled command can still be read.", nil},
	{"closed-session", []string{"gone", "readable"}, "Whether an ended session's object, commands and files can still be read.", nil},
	{"command-ids", []string{"0", "1"}, "Id of a session's first command.", nil},
	{"command-limit", []string{"400", "409", "413"}, "Answer to a session's 251st command, and to a command larger than 10 KB.", nil},
	{"command-list", []string{"full", "summary"}, "Whether the list of a session's commands has their results.", nil},
	{"content", []string{"302", "200"}, "A stored file's content: a redirect to object storage, or the bytes.", nil},
	{"device-name", []string{"host", "domain"}, "Whether the names of Windows devices carry their domain.", nil},
	{"device-start", []string{"0", "1"}, "From where start counts in a search for devices.", nil},
	{"disabled-status", []string{"400", "403", "409"}, "Answer to a session on a device whose Live Response is switched off.", nil},
	{"duplicate-ban", []string{"second", "409"}, "A second override for a hash: another record, or an error.", nil},
	{"duplicate-session", []string{"existing", "new", "409"}, "Opening a second session on a device.", nil},
	{"get-range", []string{"ignored", "honoured"}, "Offset and count of get file, and Range requests for content.", nil},
	{"job-delay", []string{"0s", "<duration>"}, "How long a new job is answered 404.", nil},
	{"keepalive-pending", []string{"ignore", "close"}, "What a keepalive does to a session that is still pending.", nil},
	{"keepalive-reply", []string{"204", "json"}, "Answer to a keepalive: without a body, or the session.", nil},
	{"limit-status", []string{"403", "<status>"}, "Answer when as many devices have a session as may.", nil},
	{"limit-wait", []string{"0s", "<duration>"}, "How long the answer at the session limit takes.", nil},
	{"list-envelope", []string{"array", "results"}, "Whether lists of sessions, commands and files are arrays or under results.", nil},
	{"missing-permission", []string{"none", "<permission>"}, "A permission that the key lacks, such as org.liveresponse.process:EXECUTE: what needs it is answered 403.", nil},
	{"multi-sz", []string{"list", "joined"}, "Data of REG_MULTI_SZ: a list, or one text joined by commas.", nil},
	{"process-details", []string{"absent", "present"}, "Whether create process tells the pid and the return code.", nil},
	{"quarantine-offline", []string{"kept", "dropped"}, "What becomes of a quarantine requested of an offline device.", nil},
	{"rate", []string{"off", "<requests/duration>"}, "Requests that one source address may send, such as 1000/5m; beyond, 429.", nil},
	{"reg-type-prefix", []string{"off", "pb"}, "Whether registry types are written as pbREG_SZ.", nil},
	{"registry-names", []string{"value", "registry"}, "Names of a registry value's parts: value_name or registry_name, and so on.", nil},
	{"result-code", []string{"unsigned", "signed"}, "Sign of a failed command's result code.", nil},
	{"session-reply", []string{"sparse", "full"}, "Answer to opening a session.", nil},
	{"status-case", []string{"mixed", "upper", "lower"}, "Letters of statuses; mixed: upper in the answer to opening a session, lower elsewhere.", nil},
	{"time-format", []string{"mixed", "rfc3339", "ms"}, "Form of times in Live Response.", nil},
}

// newCloudQuirks is all quirks, some of them overridden.
func newCloudQuirks(over Quirks) (Quirks, error) {
	all := Quirks{}
	var names []string
	for _, q := range cloudQuirkTable {
		all[q.Name] = q.Values[0]
		names = append(names, q.Name)
	}
	for name, value := range over {
		i := slices.Index(names, name)
		if i < 0 {
			return nil, unknownName("quirk", name, names)
		}
		if !cloudQuirkTable[i].accepts(value) {
			return nil, fmt.Errorf("quirk %s: %q is not one of %s", name, value, strings.Join(cloudQuirkTable[i].Values, ", "))
		}
	}
	maps.Copy(all, over)
	return all, nil
}

// parseRate reads a limit such as 1000/5m.
func parseRate(s string) (requests int, window time.Duration, err error) {
	n, d, ok := strings.Cut(s, "/")
	if !ok {
		return 0, 0, fmt.Errorf("%q is not requests/duration", s)
	}
	if requests, err = strconv.Atoi(n); err != nil || requests < 1 {
		return 0, 0, fmt.Errorf("%q is not a number of requests", n)
	}
	if window, err = time.ParseDuration(d); err != nil || window <= 0 {
		return 0, 0, fmt.Errorf("%q is not a duration", d)
	}
	return requests, window, nil
}
