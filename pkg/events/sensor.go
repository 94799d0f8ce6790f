package events

import (
	"slices"
	"strconv"
	"strings"
)

var (
	keySensorID     = keyOf("sensor_id")
	keyHostname     = keyOf("hostname")
	keyComputerName = keyOf("computer_name")

	keyOtherHostnames = keyOf("other_hostnames")

	keyEndpoint    = keyOf("endpoint")
	keyGroup       = keyOf("group")
	keyUniqueID    = keyOf("unique_id")
	keyID          = keyOf("id")
	keySegmentID   = keyOf("segment_id")
	keyProcessGUID = keyOf("process_guid")
	keyProcessID   = keyOf("process_id")
	keyLinkProcess = keyOf("link_process")
	keyLinkParent  = keyOf("link_parent")
	keyLinkSensor  = keyOf("link_sensor")
	keyLinkChild   = keyOf("link_child")
	keyLinkTarget  = keyOf("link_target")
)

// Where a process's GUID may stand. unique_id and id are a process only in a
// document: at the top of an alert, unique_id is the alert's own.
var (
	processKeys    = []key{keyProcessGUID, keyProcessID}
	documentKeys   = []key{keyUniqueID, keyID}
	parentKeys     = keysOf("parent_unique_id", "parent_process_guid", "parent_guid")
	anySensorSteps = []func(*reading) bool{sensorNumber, sensorOfGUID, sensorsOfEndpoint, sensorOfLink}
)

// findSensor looks for the sensors that the event is about, the surest place
// first, and their host names.
func findSensor(x *reading) {
	e := x.event
	for _, find := range anySensorSteps {
		if find(x) {
			break
		}
	}
	if len(e.Sensor.Hostnames) == 0 {
		if name := x.hostname(); name != "" {
			e.Sensor.Hostnames = append(e.Sensor.Hostnames, name)
		} else {
			endpointNames(x)
		}
	}
}

// otherHostnames takes the further hosts of an alert about a binary: its hostname is one
// of those that have the file.
func otherHostnames(x *reading) {
	s := &x.event.Sensor
	v, t := x.look(keyOtherHostnames)
	for _, name := range x.list(v, t) {
		known := func(other string) bool { return strings.EqualFold(other, name) }
		if name != "" && !slices.ContainsFunc(s.Hostnames, known) && !slices.ContainsFunc(s.OtherHostnames, known) {
			s.OtherHostnames = append(s.OtherHostnames, name)
		}
	}
}

// sensorNumber takes sensor_id, from the message and then from the document. Some
// messages have 0 for unknown.
func sensorNumber(x *reading) bool {
	if x.addSensor(x.plainText(&x.top, x.top.get(keySensorID))) {
		return true
	}
	return x.hasDoc && x.addSensor(x.plainText(&x.doc, x.doc.get(keySensorID)))
}

func (x *reading) addSensor(digits string) bool {
	n, ok := integerOf(digits)
	if !ok || n < 1 || n > 1<<31-1 {
		return false
	}
	if len(digits) > 10 || digits[0] == '0' || digits[0] == '+' || strings.ContainsAny(digits, ".eE") {
		digits = x.decimal(n) // one spelling, so that one sensor is one endpoint
	}
	s := &x.event.Sensor
	if !slices.Contains(s.IDs, digits) {
		s.IDs = append(s.IDs, digits)
	}
	return true
}

// decimal is a number as text.
func (x *reading) decimal(n int64) string {
	return x.pool.take(strconv.AppendInt(x.pool.room(20), n, 10))
}

func sensorOfGUID(x *reading) bool {
	guid, _ := x.processGUID()
	if guid == "" {
		return false
	}
	n, err := strconv.ParseUint(guid[:8], 16, 31)
	if err != nil || n == 0 {
		return false
	}
	x.event.Sensor.IDs = append(x.event.Sensor.IDs, x.decimal(int64(n)))
	return true
}

// sensorsOfEndpoint reads the "HOST|sensor id" entries of a binary's document:
// every host that has the file.
func sensorsOfEndpoint(x *reading) bool {
	found := false
	for _, entry := range x.endpoints() {
		bar := strings.LastIndexByte(entry, '|')
		if bar >= 0 && x.addSensor(entry[bar+1:]) {
			found = true
		}
	}
	if found {
		endpointNames(x)
	}
	return found
}

func endpointNames(x *reading) {
	s := &x.event.Sensor
	for _, entry := range x.endpoints() {
		name, _, _ := strings.Cut(entry, "|")
		if name != "" && !slices.Contains(s.Hostnames, name) {
			s.Hostnames = append(s.Hostnames, name)
		}
	}
}

func (x *reading) endpoints() []string {
	v, t := x.look(keyEndpoint)
	return x.list(v, t)
}

// sensorOfLink reads the forwarder's link to the sensor's page: …#/host/42.
func sensorOfLink(x *reading) bool {
	_, id, ok := strings.Cut(x.lookText(keyLinkSensor), "#/host/")
	return ok && x.addSensor(id)
}

// hostname is the host's name by either key.
func (x *reading) hostname() string {
	if name := x.lookText(keyHostname); name != "" {
		return name
	}
	return x.lookText(keyComputerName)
}

// soleHostname is the one host's name, empty when there are several.
func soleHostname(x *reading) {
	s := &x.event.Sensor
	if s.Hostname = x.hostname(); s.Hostname != "" {
		return
	}
	var names []string
	for _, entry := range x.endpoints() {
		if name, _, _ := strings.Cut(entry, "|"); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 1 {
		s.Hostname = names[0]
	}
}

func findGroups(x *reading) {
	s := &x.event.Sensor
	v, t := x.look(keyGroup)
	for _, name := range x.list(v, t) {
		if !slices.Contains(s.Groups, name) {
			s.Groups = append(s.Groups, name)
		}
	}
	if len(s.Groups) == 1 {
		s.Group = s.Groups[0]
	}
}

// findProcess fills the acting process's GUID and segment.
func findProcess(x *reading) {
	p := &x.event.Process
	var segment int64
	p.GUID, segment = x.processGUID()
	if n, ok := integerOf(x.lookText(keySegmentID)); ok && n > 0 {
		segment = n
	}
	p.Segment = segment
}

// processGUID is the process of a hit or a raw event. A unique_id, which includes the
// segment, takes precedence if it is that of a process.
func (x *reading) processGUID() (guid string, segment int64) {
	if x.hasDoc {
		if guid, segment = x.firstGUID(&x.doc, documentKeys, keyLinkProcess); guid != "" {
			return guid, segment
		}
		if guid, segment = x.firstGUID(&x.doc, processKeys, keyLinkProcess); guid != "" {
			return guid, segment
		}
	}
	return x.firstGUID(&x.top, processKeys, keyLinkProcess)
}

// findParent fills the parent's GUID. parent_guid is one in a document of the
// forwarder; in raw events it is an old number, which has no GUID's form.
func findParent(x *reading) {
	if x.hasDoc {
		if guid, _ := x.firstGUID(&x.doc, parentKeys, keyLinkParent); guid != "" {
			x.event.Process.Parent.GUID = guid
			return
		}
	}
	x.event.Process.Parent.GUID, _ = x.firstGUID(&x.top, parentKeys, keyLinkParent)
}

// firstGUID is the first GUID among keys, or else the one in a link.
func (x *reading) firstGUID(v *values, keys []key, link key) (guid string, segment int64) {
	for _, k := range keys {
		if t := v.get(k); t.kind == stringToken {
			if guid, segment, ok := splitGUID(x.pool.text(v.s, t)); ok {
				return guid, segment
			}
		}
	}
	if t := v.get(link); t.kind == stringToken {
		return linkedGUID(x.pool.text(v.s, t))
	}
	return "", 0
}

// linkedGUID takes the process out of a link to its page: …#analyze/<guid>/<segment>.
func linkedGUID(link string) (guid string, segment int64) {
	_, rest, ok := strings.Cut(link, "#analyze/")
	if !ok {
		return "", 0
	}
	text, number, _ := strings.Cut(rest, "/")
	guid, segment, ok = splitGUID(text)
	if !ok {
		return "", 0
	}
	if n, ok := integerOf(number); ok && segment == 0 {
		segment = n
	}
	return guid, segment
}
