package events

import (
	"net/url"
	"strings"
)

// This file holds the tables of the EDR server's own events: hits of watchlists
// and feeds, alerts, binaries and bookkeeping. The event forwarder passes them
// on with a few more keys, which stand in the same tables.

// commonRows are read in every event of the EDR product.
var commonRows = []row{
	{to: "event.time", from: "event_timestamp timestamp", as: asTime, in: onlyTop},
	{to: "event.server", do: namedServer, from: "cb_server"},
	{to: "sensor.ids sensor.hostnames", do: findSensor,
		from: "sensor_id process_guid process_id unique_id id endpoint link_process link_sensor hostname computer_name docs"},
	{to: "sensor.hostname", do: soleHostname, from: "hostname computer_name endpoint"},
	{to: "sensor.other_hostnames", do: otherHostnames, from: "other_hostnames"},
	{to: "sensor.groups sensor.group", do: findGroups, from: "group"},
	{to: "sensor.os", from: "os_type", as: asWord},
	{to: "sensor.type", from: "host_type", as: asWord},
	{to: "sensor.criticality", from: "sensor_criticality", as: asFloat},
}

// processDocRows read a process document, or the process of a hit without one.
var processDocRows = []row{
	{to: "process.guid process.segment", do: findProcess,
		from: "process_guid process_id unique_id id link_process segment_id"},
	{to: "process.pid", from: "process_pid pid", as: asPID},
	{to: "process.path", from: "path process_path", as: asText},
	{to: "process.name", from: "process_name", as: asText},
	{to: "process.command_line", from: "cmdline command_line", as: asText},
	{to: "process.user", from: "username", as: asText},
	{to: "process.uid", from: "uid", as: asText},
	{to: "process.md5", from: "process_md5 md5", as: asHash},
	{to: "process.sha256", from: "process_sha256 sha256", as: asHash},
	{to: "process.start", from: "start", as: asTime},
	{to: "process.parent.guid", do: findParent, from: "parent_unique_id parent_guid parent_process_guid link_parent"},
	{to: "process.parent.pid", from: "parent_pid", as: asPID},
	{to: "process.parent.path", from: "parent_path", as: asText},
	{to: "process.parent.name", from: "parent_name", as: asText},
	{to: "process.parent.md5", from: "parent_md5", as: asHash},
	{to: "process.parent.sha256", from: "parent_sha256", as: asHash},
	{to: "process.counts.modload", from: "modload_count", as: asInt},
	{to: "process.counts.filemod", from: "filemod_count", as: asInt},
	{to: "process.counts.netconn", from: "netconn_count", as: asInt},
	{to: "process.counts.regmod", from: "regmod_count", as: asInt},
	{to: "process.counts.childproc", from: "childproc_count", as: asInt},
	{to: "process.counts.crossproc", from: "crossproc_count", as: asInt},
	{to: "process.counts.emet", from: "emet_count", as: asInt},
	{to: "process.counts.processblock", from: "processblock_count", as: asInt},
}

// binaryDocRows read a binary document, or the binary of a hit without one.
var binaryDocRows = []row{
	{to: "binary.md5", from: "md5", as: asHash},
	{to: "binary.sha256", from: "sha256", as: asHash},
	{to: "binary.size", from: "orig_mod_len size", as: asLong},
	{to: "binary.paths", from: "observed_filename", as: asList},
	{to: "binary.sign_result", from: "digsig_result signed", as: asText},
	{to: "binary.signed", do: isSigned, from: "digsig_result signed"},
	{to: "binary.publisher", from: "digsig_publisher", as: asText},
	{to: "binary.product", from: "product_name", as: asText},
	{to: "binary.company", from: "company_name", as: asText},
	{to: "binary.description", from: "file_desc", as: asText},
	{to: "binary.original_name", from: "original_filename", as: asText},
	{to: "binary.is_64bit", from: "is_64bit", as: asFlag},
	{to: "binary.host_count", from: "host_count", as: asInt},
}

// hitRows read what matched.
var hitRows = []row{
	{to: "watchlist.id", from: "watchlist_id", as: asLong, in: onlyTop},
	{to: "watchlist.name", from: "watchlist_name", as: asText, in: onlyTop},
	{to: "feed.id", from: "feed_id", as: asLong, in: onlyTop},
	{to: "feed.name", from: "feed_name", as: asText, in: onlyTop},
	{to: "feed.report_id", from: "report_id", as: asText, in: onlyTop},
	{to: "feed.report_title", from: "report_title", as: asText, in: onlyTop},
	{to: "feed.score", from: "report_score", as: asFloat, in: onlyTop},
	{to: "ioc.type", from: "ioc_type", as: asText, in: onlyTop},
	{to: "ioc.value", from: "ioc_value", as: asText, in: onlyTop},
	{to: "ioc.query", do: findQuery, from: "ioc_query_string ioc_type ioc_value search_query"},
	{to: "ioc.attrs", do: keepAttributes, from: "ioc_attr ioc_attrs"},
	{to: "net.direction net.protocol net.domain net.local_ip net.local_port net.remote_ip net.remote_port",
		do: findConnection, from: "ioc_attr ioc_attrs " +
			"direction protocol Protocol dns_name local_ip local_port remote_ip remote_port port"},
}

// alertRows read what only alerts have.
var alertRows = []row{
	{to: "event.time", from: "event_timestamp timestamp created_time", as: asTime, in: onlyTop},
	{to: "alert.id", from: "unique_id", as: asText, in: onlyTop},
	{to: "alert.key", do: serverAlertKey, from: "unique_id cb_server"},
	{to: "alert.severity", from: "alert_severity", as: asFloat, in: onlyTop},
	{to: "alert.status", from: "status", as: asText, in: onlyTop},
	{to: "alert.type", from: "alert_type", as: asText, in: onlyTop},
}

// bookkeepingRows read the server's events about itself.
var bookkeepingRows = []row{
	{to: "feed.id", from: "feed_id", as: asLong, in: onlyTop},
	{to: "feed.name", from: "feed_name", as: asText, in: onlyTop},
}

// connectionRows read a network indicator's attributes, an object of its own.
var connectionRows = []row{
	{to: "net.direction", from: "direction", as: asWord},
	{to: "net.protocol", do: findProtocol, from: "protocol Protocol"},
	{to: "net.domain", from: "dns_name", as: asText},
	{to: "net.local_ip", from: "local_ip", as: asIP},
	{to: "net.local_port", from: "local_port", as: asPort},
	{to: "net.remote_ip", from: "remote_ip", as: asIP},
	{to: "net.remote_port", from: "remote_port port", as: asPort},
}

var connectionShape = newShape(Other, connectionRows)

// serverShapes are the server events by canonical type.
func serverShapes() map[string]*shape {
	shapes := map[string]*shape{}
	process := newShape("", commonRows, hitRows, processDocRows)
	binary := newShape("", commonRows, hitRows, binaryDocRows)
	host := newShape("", commonRows, hitRows)
	hit := func(name string, kind Kind, stage string, what *shape) {
		s := what.with(stage, true)
		s.kind = kind
		shapes[name] = s
	}
	hit("watchlist.hit.process", WatchlistHit, "", process)
	hit("watchlist.hit.binary", WatchlistHit, "", binary)
	hit("watchlist.storage.hit.process", WatchlistHit, "storage", process)
	hit("watchlist.storage.hit.binary", WatchlistHit, "storage", binary)
	for _, stage := range []string{"ingress", "query", "storage"} {
		hit("feed."+stage+".hit.process", FeedHit, stage, process)
		hit("feed."+stage+".hit.binary", FeedHit, stage, binary)
		hit("feed."+stage+".hit.host", FeedHit, stage, host)
	}
	for _, stage := range []string{"ingress", "query"} {
		alert := func(name string, tables ...[]row) {
			shapes["alert.watchlist.hit."+stage+"."+name] = newShape(AlertRaised, tables...).with(stage, false)
		}
		alert("process", alertRows, commonRows, hitRows, processDocRows)
		alert("binary", alertRows, commonRows, hitRows, binaryDocRows)
		alert("host", alertRows, commonRows, hitRows)
	}
	seen := newShape(BinarySeen, commonRows, binaryDocRows)
	shapes["binaryinfo.observed"] = seen
	shapes["binaryinfo.host.observed"] = seen
	shapes["binaryinfo.group.observed"] = seen
	shapes["binarystore.file.added"] = newShape(BinaryStored, commonRows, binaryDocRows)
	bookkeeping := newShape(Other, commonRows, bookkeepingRows)
	for _, name := range []string{"cmd.feed.synchronize", "feed.synchronized", "task.error.logged"} {
		shapes[name] = bookkeeping
	}
	for _, what := range []string{"creating", "created", "mounted", "unmounted", "purged", "deleted"} {
		shapes["events.partition."+what] = bookkeeping
	}
	audit := newShape(Audit, commonRows)
	for _, what := range []string{"liveresponse", "banning", "isolation", "useractivity"} {
		shapes["audit.log."+what] = audit
	}
	return shapes
}

var (
	keyDigsigResult = keyOf("digsig_result")
	keySigned       = keyOf("signed")
	keyAttributes   = []key{keyOf("ioc_attr"), keyOf("ioc_attrs")}
	keyQueryString  = keyOf("ioc_query_string")
	keyIOCType      = keyOf("ioc_type")
	keyIOCValue     = keyOf("ioc_value")
	keySearchQuery  = keyOf("search_query")
)

// namedServer takes the server's name from the event, where it has one, instead of what
// its source is bound to.
func namedServer(x *reading) {
	if name := x.topText(keyServerName); name != "" {
		x.event.Event.Server, x.event.Event.Bound = name, ""
	}
}

// look finds a key in the hit's document, then in the message.
func (x *reading) look(k key) (*values, token) {
	if x.hasDoc {
		if t := x.doc.get(k); t.kind > nullToken {
			return &x.doc, t
		}
	}
	return &x.top, x.top.get(k)
}

// lookText is look for text.
func (x *reading) lookText(k key) string {
	v, t := x.look(k)
	return x.plainText(v, t)
}

func isSigned(x *reading) {
	result := x.lookText(keyDigsigResult)
	if result == "" {
		result = x.lookText(keySigned)
	}
	x.event.Binary.Signed = result == "Signed"
}

// attributes reads the object of a network indicator into x.inner; alerts carry
// it as a string that holds JSON.
func (x *reading) attributes() (object string, ok bool) {
	for _, k := range keyAttributes {
		switch t := x.top.get(k); t.kind {
		case objectToken:
			return x.top.s[t.start:t.end], true
		case stringToken:
			s := strings.TrimSpace(x.pool.text(x.top.s, t))
			if strings.HasPrefix(s, "{") && validJSON(s) {
				return s, true
			}
		}
	}
	return "", false
}

func keepAttributes(x *reading) {
	if object, ok := x.attributes(); ok {
		x.event.IOC.Attrs = decodeObject(object)
	}
}

func findConnection(x *reading) {
	object, ok := x.attributes()
	if !ok {
		return
	}
	x.within(object, func() {
		for _, s := range connectionShape.steps {
			s.do(x)
		}
	})
}

// within runs read on an object inside the message as if it were the message.
func (x *reading) within(object string, read func()) {
	if x.inner.read(object) != nil {
		return
	}
	x.top, x.inner = x.inner, x.top
	hasDoc := x.hasDoc
	x.hasDoc = false
	read()
	x.hasDoc = hasDoc
	x.top, x.inner = x.inner, x.top
}

// findQuery takes the search out of a query indicator: the forwarder decodes
// it, the bus has JSON with a URL's parameters, or the bare search.
func findQuery(x *reading) {
	q := &x.event.IOC.Query
	if *q = x.plainText(&x.top, x.top.get(keyQueryString)); *q != "" {
		return
	}
	if x.plainText(&x.top, x.top.get(keyIOCType)) != "query" {
		return
	}
	search := x.plainText(&x.top, x.top.get(keyIOCValue))
	if strings.HasPrefix(search, "{") && validJSON(search) {
		value := search
		search = ""
		x.within(value, func() { search = x.plainText(&x.top, x.top.get(keySearchQuery)) })
	}
	if params, err := url.ParseQuery(search); err == nil && params.Has("q") {
		search = params.Get("q")
	}
	*q = search
}

// canonicalType is a routing key or a forwarder's type without what differs
// between servers and versions: the ids of feeds and watchlists, and two names
// of raw events that have changed.
func canonicalType(s string) string {
	if rest, ok := strings.CutPrefix(s, "feed."); ok {
		s = withoutID("feed.", rest, s)
	} else if rest, ok := strings.CutPrefix(s, "watchlist."); ok {
		s = withoutID("watchlist.", rest, s)
	}
	switch s {
	case "ingress.event.process":
		return "ingress.event.procstart"
	case "ingress.event.processblocked":
		return "ingress.event.processblock"
	}
	return s
}

func withoutID(prefix, rest, whole string) string {
	id, tail, found := strings.Cut(rest, ".")
	if n, ok := shortInteger(id); !found || !ok || n < 0 {
		return whole
	}
	return prefix + tail
}
