package intake

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

// form is how an event is written, and by which product.
type form string

// The forms of events.
const (
	edrStart   form = "a start from the event forwarder"
	cloudStart form = "a start from the data forwarder"
	cloudAlert form = "an alert of the cloud"
)

var forms = []form{edrStart, cloudStart, cloudAlert}

func (f form) cloud() bool { return f != edrStart }

// idForm is how an event of the cloud says which device it is of.
type idForm string

// The forms of device ids.
const (
	idNumber idForm = "number"
	idText   idForm = "text"
	idInGUID idForm = "in the GUID of the process"
)

// kind is the server's as in servers[].kind.
func (s *serverDrawn) kind() string {
	if s.Cloud {
		return events.ProductCloud
	}
	return events.ProductEDR
}

// eventDrawn is an event as a sensor's server or forwarder may write it. Empty fields
// are left out.
type eventDrawn struct {
	Server, Bound, ID, Host string
	Form                    form
	IDForm                  idForm // of events of the cloud
}

func (e eventDrawn) message(n int) events.Message {
	var body map[string]any
	switch e.Form {
	case edrStart:
		body = e.start(n)
	case cloudStart:
		body = e.cloud(n, "childproc_name", `c:\temp\evil.exe`)
		body["type"], body["action"] = "endpoint.event.procstart", "ACTION_CREATE_PROCESS"
		body["device_timestamp"] = time.Now().UTC().Format(time.RFC3339)
	case cloudAlert:
		body = e.cloud(n, "process_name", `c:\temp\good.exe`)
		body["type"], body["severity"] = "CB_ANALYTICS", 9
		body["id"] = fmt.Sprint("alert-", n)
	}
	maps.DeleteFunc(body, func(_ string, v any) bool { return v == "" })
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return events.Message{Body: b, ContentType: "application/json", Server: e.Bound, Received: time.Now()}
}

// start is a process start of Carbon Black EDR.
func (e eventDrawn) start(n int) map[string]any {
	body := map[string]any{
		"type": "ingress.event.procstart", "timestamp": time.Now().Unix(), "pid": 100 + n, "path": `c:\temp\evil.exe`,
		"cb_server": e.Server, "computer_name": e.Host,
	}
	if e.ID != "" {
		body["sensor_id"] = json.Number(e.ID)
	}
	return body
}

// cloud is what the events of Carbon Black Cloud have in common.
func (e eventDrawn) cloud(n int, key, path string) map[string]any {
	body := map[string]any{
		"org_key": e.Server, "device_name": e.Host, key: path, "backend_timestamp": time.Now().UTC().Format(time.RFC3339),
	}
	switch {
	case e.ID == "":
	case e.IDForm == idInGUID:
		id, err := strconv.Atoi(e.ID)
		if err != nil {
			panic(err)
		}
		body["process_guid"] = fmt.Sprintf("%s-%08x-%08x-00000000-1d7b3b3c4f5a6b7", e.Server, id, 100+n)
	case e.IDForm == idText:
		body["device_id"] = e.ID
	default:
		body["device_id"] = json.Number(e.ID)
	}
	return body
}

// world is a few servers with overlapping ids and host names, and events about them.
type world struct {
	Servers []*serverDrawn
	Events  []eventDrawn
	Read    bool // the directories have been read before the events come
}

// hosts are the names that servers know.
var hosts = []string{"WKS-1", "WKS-2", "FINANCE-DC", "WORKSTATION-0000", "WORKSTATION-0001"}

// spelled is a host's name as one of the products or a person may write it.
func spelled(t *rapid.T, host string) string {
	switch rapid.IntRange(0, 5).Draw(t, "spelling") {
	case 0:
		return strings.ToLower(host)
	case 1:
		return host + ".corp.example"
	case 2:
		return `CORP\` + host
	case 3:
		return host[:min(len(host), 15)]
	}
	return host
}

// drawWorld draws one. Ids and names come from small pools, so that the same ones are
// found on several servers and on both kinds of them, on the wrong endpoint after a
// reinstallation or a renaming, and on two endpoints after cloning.
func drawWorld(t *rapid.T) world {
	w := world{Read: rapid.Bool().Draw(t, "directories are read")}
	pool := [][]string{{"hq", "cbserver"}, {"branch", "branch"}, {"lab", "lab", "edr.lab.example"}}
	cloud := [][]string{{"cloud", "A1B2C3D4"}, {"eu", "ORG-2"}}
	onPremises := rapid.IntRange(0, len(pool)).Draw(t, "servers")
	least := 0
	if onPremises == 0 {
		least = 1
	}
	clouds := rapid.IntRange(least, len(cloud)).Draw(t, "clouds")
	for i, of := range slices.Concat(pool[:onPremises], cloud[:clouds]) {
		s := drawServer(t, of)
		s.Cloud = i >= onPremises
		w.Servers = append(w.Servers, s)
	}
	for range rapid.IntRange(1, 3).Draw(t, "events") {
		w.Events = append(w.Events, w.drawEvent(t))
	}
	return w
}

func drawServer(t *rapid.T, names []string) *serverDrawn {
	s := &serverDrawn{
		Label: names[0], Accept: names[1:], isolated: map[string]bool{},
		Mismatch: rapid.SampledFrom([]jobs.HostMismatch{jobs.MismatchHold, jobs.MismatchHold, jobs.MismatchDeny, jobs.MismatchAllow}).Draw(t, "mismatch of "+names[0]),
	}
	for _, id := range []string{"1", "2", "3"} {
		if rapid.IntRange(0, 4).Draw(t, "missing") == 0 {
			continue
		}
		one := edr.Sensor{ID: id, Hostname: rapid.SampledFrom(hosts).Draw(t, "host of sensor"), OS: edr.Windows, Online: rapid.IntRange(0, 3).Draw(t, "online") > 0}
		s.Fleet = append(s.Fleet, one)
	}
	return s
}

// names are what events may call their servers, and bindings what sources are bound to.
var (
	names    = []string{"", "hq", "branch", "lab", "cbserver", "CBSERVER", "edr.lab.example", "edr_lab_example", "A1B2C3D4", "elsewhere"}
	orgs     = []string{"", "A1B2C3D4", "a1b2c3d4", "ORG-2", "cloud", "cbserver", "NOTOURS1"}
	bindings = []string{"", "", "hq", "branch", "edr_lab_example", "cloud", "eu", "a1b2c3d4", "elsewhere"}
)

func (w world) drawEvent(t *rapid.T) eventDrawn {
	e := eventDrawn{
		Form: rapid.SampledFrom(forms).Draw(t, "form of event"), IDForm: rapid.SampledFrom([]idForm{idText, idNumber, idInGUID}).Draw(t, "form of id"),
		Bound: rapid.SampledFrom(bindings).Draw(t, "binding"), ID: rapid.SampledFrom([]string{"", "1", "2", "3", "4"}).Draw(t, "id in event"),
	}
	called := names
	switch e.Form {
	case cloudStart:
		called = orgs
	case cloudAlert:
		called = orgs[1:] // without an organisation it is no alert of the cloud
	}
	e.Server = rapid.SampledFrom(called).Draw(t, "server in event")
	if host := rapid.SampledFrom(append([]string{"", "ELSEWHERE-1"}, hosts...)).Draw(t, "host in event"); host != "" {
		e.Host = spelled(t, host)
	}
	return e
}
