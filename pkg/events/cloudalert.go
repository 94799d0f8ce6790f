package events

import "time"

// This file holds the steps of Carbon Black Cloud's alerts and audit records that
// are more than a conversion.

var (
	keyWorkflow      = keyOf("workflow")
	keyStatus        = keyOf("status")
	keyClosureReason = keyOf("closure_reason")
	keyChangedBy     = keyOf("changed_by")
	keyChangedByType = keyOf("changed_by_type")
	keyDetermination = keyOf("determination")
	keyValue         = keyOf("value")
	keyWatchlists    = keyOf("watchlists")
	keyName          = keyOf("name")
	keyPolicyApplied = keyOf("policy_applied")
	keyAlertID       = keyOf("alert_id")
	keyActor         = keyOf("actor")
	keyDescription   = keyOf("description")
	keyLoginName     = keyOf("loginName")
	keyOrgName       = keyOf("orgName")
	keyEventID       = keyOf("eventId")
	keyResults       = keyOf("results")
	keyNumFound      = keyOf("num_found")
	keyServerName    = keyOf("cb_server")
)

// asValue is asText for a product that writes null as text, too.
var asValue = &conversion{asText.kind, func(x *reading, f *field, v *values, t token) bool {
	s := notNull(x.plainText(v, t))
	*f.text(x.event) = s
	return s != ""
}}

// asTimeOrMillis is asTime for a field that older messages have in milliseconds.
var asTimeOrMillis = &conversion{asTime.kind, func(x *reading, f *field, v *values, t token) bool {
	if t.kind == numberToken {
		if n, ok := integerOf(v.s[t.start:t.end]); ok && n > 1e11 && n < 1e14 {
			when := time.UnixMilli(n).UTC()
			if !believable(when, x.now) {
				x.flaw(FlawTime)
				return false
			}
			*f.time(x.event) = when
			return true
		}
	}
	return asTime.set(x, f, v, t)
}}

func notNull(s string) string {
	if s == "null" {
		return ""
	}
	return s
}

// value is the text of a key of the message, "" for a null that is written as text.
func (x *reading) value(k key) string { return notNull(x.topText(k)) }

// cloudAlertKey joins what makes an alert the same one.
func cloudAlertKey(x *reading) {
	org, id := x.value(keyOrgKey), x.value(keyID)
	if id == "" {
		id = x.value(keyAlertID)
	}
	if org != "" && id != "" {
		x.event.Alert.Key = x.pool.take(append(append(append(x.pool.room(len(org)+len(id)+1), org...), '/'), id...))
	}
}

// serverAlertKey is the identity of an alert of Carbon Black EDR.
func serverAlertKey(x *reading) {
	id := x.topText(keyUniqueID)
	if id == "" {
		return
	}
	server := x.topText(keyServerName)
	if server == "" {
		server = x.event.Event.Server
	}
	x.event.Alert.Key = x.pool.take(append(append(append(x.pool.room(len(server)+len(id)+1), server...), '/'), id...))
}

func cloudWorkflow(x *reading) {
	a := &x.event.Alert
	t := x.top.get(keyWorkflow)
	if t.kind != objectToken {
		a.Status = x.value(keyStatus)
		return
	}
	x.within(x.top.s[t.start:t.end], func() {
		a.Status, a.ClosureReason = x.value(keyStatus), x.value(keyClosureReason)
		a.ChangedBy, a.ChangedByType = x.value(keyChangedBy), x.value(keyChangedByType)
	})
}

func cloudDetermination(x *reading) {
	if t := x.top.get(keyDetermination); t.kind == objectToken {
		x.within(x.top.s[t.start:t.end], func() { x.event.Alert.Determination = x.value(keyValue) })
	}
}

func cloudPolicyApplied(x *reading) {
	x.event.Alert.PolicyApplied = x.topText(keyPolicyApplied) == "APPLIED"
}

// cloudWatchlists takes all of a hit's watchlists; their ids are text in this product.
func cloudWatchlists(x *reading) {
	t := x.top.get(keyWatchlists)
	if t.kind != arrayToken {
		return
	}
	w := &x.event.Watchlist
	list := x.top.s[t.start:t.end]
	for element := range elements(list) {
		if element.kind != objectToken {
			continue
		}
		x.within(list[element.start:element.end], func() {
			name, id := x.value(keyName), x.value(keyID)
			if w.Name == "" {
				w.Name = name
				w.ID, _ = integerOf(id)
			}
			if name != "" {
				w.Names = append(w.Names, name)
			}
			if id != "" {
				w.IDs = append(w.IDs, id)
			}
		})
	}
}

// isAuditRecord reports whether a message without a type is an audit record: it has
// an actor and a description. Those of the older API have other names.
func (p *pass) isAuditRecord() bool {
	top := &p.reading.top
	has := func(k key) bool { return top.get(k).kind > nullToken }
	return has(keyActor) && has(keyDescription) && has(keyOrgKey) ||
		has(keyLoginName) && has(keyOrgName) && has(keyEventID) && has(keyDescription)
}

// isSearchAnswer reports whether an object is what the Alerts API answers to a search:
// the alerts are its results.
func (p *pass) isSearchAnswer() bool {
	top := &p.reading.top
	return top.get(keyResults).kind == arrayToken && top.get(keyNumFound).kind == numberToken &&
		top.get(keyType).kind <= nullToken && top.get(keyOrgKey).kind <= nullToken
}
