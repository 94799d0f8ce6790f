package edrsim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Quirks overrides how the simulated server behaves where sources about the real
// one are silent or disagree, by name. See AllQuirks.
type Quirks map[string]string

// Set adds one quirk, checked.
func (q Quirks) Set(name, value string) error {
	if _, err := newBehaviour(defaultVersion, Quirks{name: value}); err != nil {
		return err
	}
	q[name] = value
	return nil
}

// A Quirk is a behaviour of the server that can be chosen.
type Quirk struct {
	Name   string
	Values []string // the choices, the default first; a word in <> stands for any such value
	Doc    string   // one sentence
	// ByVersion names the default where a version differs from Values[0].
	ByVersion map[string]string
}

// Versions lists the presets, oldest first.
var Versions = []string{"5.1", "6.2", "7.1", "7.7"}

const defaultVersion = "6.2"

// AllQuirks lists every quirk with its choices, sorted by name.
func AllQuirks() []Quirk {
	all := make([]Quirk, len(quirks))
	for i, q := range quirks {
		all[i] = q.Quirk
	}
	return all
}

// A quirk with how it is stored.
type quirk struct {
	Quirk
	field func(*behaviour) *string
}

// behaviour is the quirks in force. Each field holds one of its quirk's values.
type behaviour struct {
	version string

	activeOnly, address, archive, cancel, cblr, closeAgain, closeReply string
	closedSession, commands, duplicate, emptyList, emptyOutput         string
	gzip, hostFilter, inFlight, keepalive, licence                     string
	limit, listNoMatch                                                 string
	maxUpload, offsetEnd, partitions, powerLoss, putExisting, rangeReq string
	regSet, sensorPut, sensorV2, sessionGroup, sidNewline, storageSize string
	unsupported, waitCap, zone                                         string
}

var quirks = []quirk{
	{Quirk{"active-only", []string{"honoured", "ignored"}, "What ?active_only=true does in the session list; servers before 6.3 do not know it.",
		map[string]string{"5.1": "ignored", "6.2": "ignored"}}, func(b *behaviour) *string { return &b.activeOnly }},
	{Quirk{"address", []string{"mapped", "plain"}, "Form of a session's address: ::ffff:192.0.2.1 or 192.0.2.1.",
		map[string]string{"7.1": "plain", "7.7": "plain"}}, func(b *behaviour) *string { return &b.address }},
	{Quirk{"cancel-status", []string{"cancel", "canceled", "cancelled"}, "Status of a command that was cancelled.", nil},
		func(b *behaviour) *string { return &b.cancel }},
	{Quirk{"cblr", []string{"enabled", "disabled"}, "Live Response as a whole; disabled answers 412 and cblrEnabled false.", nil},
		func(b *behaviour) *string { return &b.cblr }},
	{Quirk{"close-again", []string{"200", "404"}, "Answer to closing a session that has ended.", nil},
		func(b *behaviour) *string { return &b.closeAgain }},
	{Quirk{"close-reply", []string{"close", "active"}, "Status shown in the answer to closing a session; active is stale.", nil},
		func(b *behaviour) *string { return &b.closeReply }},
	{Quirk{"closed-session", []string{"readable", "gone"}, "Whether an ended session's object, commands and files can still be read.", nil},
		func(b *behaviour) *string { return &b.closedSession }},
	{Quirk{"commands", []string{"serial", "parallel"}, "Whether a sensor runs the commands of one session one after the other.", nil},
		func(b *behaviour) *string { return &b.commands }},
	{Quirk{"duplicate-session", []string{"409", "existing", "new", "<status>"}, "Opening a second session on a sensor: an HTTP status, the existing session, or another one.", nil},
		func(b *behaviour) *string { return &b.duplicate }},
	{Quirk{"empty-archive", []string{"500", "200"}, "Archive of a session that has no commands and no files.", nil},
		func(b *behaviour) *string { return &b.archive }},
	{Quirk{"empty-output", []string{"file", "none"}, "Whether a process that prints nothing leaves its output_file.", nil},
		func(b *behaviour) *string { return &b.emptyOutput }},
	{Quirk{"empty-sensor-list", []string{"204", "500", "list"}, "Answer of GET /api/v1/sensor when no sensor matches.",
		map[string]string{"5.1": "500"}}, func(b *behaviour) *string { return &b.emptyList }},
	{Quirk{"gzip", []string{"on", "off"}, "Whether JSON is compressed for clients that offer it.", nil},
		func(b *behaviour) *string { return &b.gzip }},
	{Quirk{"hostname-filter", []string{"insensitive", "sensitive"}, "How the sensor list's hostname filter compares case.", nil},
		func(b *behaviour) *string { return &b.hostFilter }},
	{Quirk{"in-flight", []string{"lost", "finish"}, "What becomes of the running command when its session ends.", nil},
		func(b *behaviour) *string { return &b.inFlight }},
	{Quirk{"keepalive-pending", []string{"close", "ignore"}, "What a keepalive does to a session that is still pending.", nil},
		func(b *behaviour) *string { return &b.keepalive }},
	{Quirk{"licence", []string{"valid", "expired", "<status>"}, "State of the server's licence: valid, over for ten days, or over for forty, when sessions and new bans are refused with that status. POST /api/v1/license makes it valid.", nil},
		func(b *behaviour) *string { return &b.licence }},
	{Quirk{"limit-status", []string{"500", "<status>"}, "HTTP status when all session slots are taken.", nil},
		func(b *behaviour) *string { return &b.limit }},
	{Quirk{"list-no-match", []string{"error", "empty"}, "Directory list of a wildcard that matches nothing.", nil},
		func(b *behaviour) *string { return &b.listNoMatch }},
	{Quirk{"max-upload", []string{"unlimited", "<bytes>"}, "Largest upload; more answers 413.", nil},
		func(b *behaviour) *string { return &b.maxUpload }},
	{Quirk{"offset-beyond-end", []string{"empty", "error"}, "Get file with an offset past the end of the file.", nil},
		func(b *behaviour) *string { return &b.offsetEnd }},
	{Quirk{"partitions", []string{"200", "403", "404"}, "Answer of GET /api/v1/storage/events/partition; 403 is a token without administrator rights on 7.6 and later.",
		map[string]string{"5.1": "404", "7.7": "403"}}, func(b *behaviour) *string { return &b.partitions }},
	{Quirk{"power-loss", []string{"timeout", "hang"}, "What a sensor that loses power does to its session: end it at once, or leave it until a timer ends it.", nil},
		func(b *behaviour) *string { return &b.powerLoss }},
	{Quirk{"put-existing", []string{"error", "overwrite"}, "Put file onto a file that exists.", nil},
		func(b *behaviour) *string { return &b.putExisting }},
	{Quirk{"range", []string{"ignore", "honour"}, "Range requests for a session file's content.", nil},
		func(b *behaviour) *string { return &b.rangeReq }},
	{Quirk{"reg-set-existing", []string{"error", "ignore", "overwrite"}, "Reg set value on an existing value without overwrite.", nil},
		func(b *behaviour) *string { return &b.regSet }},
	{Quirk{"sensor-put", []string{"full", "restricted"}, "Fields accepted by PUT /api/v1/sensor; 7.1 and later refuse all but seven.",
		map[string]string{"7.1": "restricted", "7.7": "restricted"}}, func(b *behaviour) *string { return &b.sensorPut }},
	{Quirk{"sensor-v2", []string{"present", "absent"}, "The paginated /api/v2/sensor, since 5.2.",
		map[string]string{"5.1": "absent"}}, func(b *behaviour) *string { return &b.sensorV2 }},
	{Quirk{"session-group", []string{"absent", "present"}, "Whether session objects carry group_id.",
		map[string]string{"7.1": "present", "7.7": "present"}}, func(b *behaviour) *string { return &b.sessionGroup }},
	{Quirk{"sid-newline", []string{"on", "off"}, "Whether computer_sid of Linux sensors ends in a newline.", nil},
		func(b *behaviour) *string { return &b.sidNewline }},
	{Quirk{"storage-size", []string{"string", "number"}, "JSON type of a session's storage_size once it is not zero.", nil},
		func(b *behaviour) *string { return &b.storageSize }},
	{Quirk{"unsupported-command", []string{"400", "error"}, "A command that the sensor does not support: refused by the server, or failed by the sensor with ERROR_NOT_SUPPORTED.", nil},
		func(b *behaviour) *string { return &b.unsupported }},
	{Quirk{"wait-cap", []string{"60s", "<duration>"}, "How long ?wait=true may block before the proxy in front answers 504.", nil},
		func(b *behaviour) *string { return &b.waitCap }},
	{Quirk{"zone", []string{"+00:00", "<offset>"}, "Time zone in which sensor times are written, such as -05:00.", nil},
		func(b *behaviour) *string { return &b.zone }},
}

// newBehaviour is a version's quirks with some overridden.
func newBehaviour(version string, over Quirks) (*behaviour, error) {
	if !slices.Contains(Versions, version) {
		return nil, fmt.Errorf("version %q is not one of %s", version, strings.Join(Versions, ", "))
	}
	b := &behaviour{version: version}
	for _, q := range quirks {
		*q.field(b) = q.Values[0]
		if v, ok := q.ByVersion[version]; ok {
			*q.field(b) = v
		}
	}
	for name, value := range over {
		i := slices.IndexFunc(quirks, func(q quirk) bool { return q.Name == name })
		if i < 0 {
			return nil, unknownName("quirk", name, quirkNames())
		}
		if !quirks[i].accepts(value) {
			return nil, fmt.Errorf("quirk %s: %q is not one of %s", name, value, strings.Join(quirks[i].Values, ", "))
		}
		*quirks[i].field(b) = value
	}
	return b, nil
}

// accepts reports whether value is one of the choices or fits an open one.
func (q Quirk) accepts(value string) bool {
	return slices.ContainsFunc(q.Values, func(choice string) bool {
		switch choice {
		case "<status>":
			n, err := strconv.Atoi(value)
			return err == nil && n >= 400 && n <= 599
		case "<bytes>":
			n, err := strconv.ParseInt(value, 10, 64)
			return err == nil && n > 0
		case "<duration>":
			d, err := time.ParseDuration(value)
			return err == nil && d > 0
		case "<permission>":
			return permissionForm.MatchString(value)
		case "<requests/duration>":
			_, _, err := parseRate(value)
			return err == nil
		case "<offset>":
			_, err := time.Parse("-07:00", value)
			return err == nil
		default:
			return value == choice
		}
	})
}

func quirkNames() []string {
	names := make([]string, len(quirks))
	for i, q := range quirks {
		names[i] = q.Name
	}
	return names
}

// The values of open quirks, parsed; newBehaviour has checked them.

func (b *behaviour) waitLimit() time.Duration {
	d, _ := time.ParseDuration(b.waitCap)
	return d
}

// uploadLimit is the largest upload in bytes; 0 means no limit.
func (b *behaviour) uploadLimit() int64 {
	n, _ := strconv.ParseInt(b.maxUpload, 10, 64)
	return n
}

func (b *behaviour) limitStatus() int {
	n, _ := strconv.Atoi(b.limit)
	return n
}

func (b *behaviour) location() *time.Location {
	t, _ := time.Parse("-07:00", b.zone)
	return t.Location()
}
