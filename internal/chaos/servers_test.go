//go:build linux

package chaos

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edrpipe/internal/kinds"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

// server is a simulated EDR server of a world. Those of one world have the same
// numbers of sensors and the same host names.
type server struct {
	name, kind string
	sim        *edrsim.Server
	url        string // of sim, or of what is before it

	// withheld refuses the records of endpoints: facts are not known then.
	withheld  atomic.Bool
	newcomers newcomers
}

// firstDevice is the id of sensor 1 at a Carbon Black Cloud.
const firstDevice = 6231047

// newServer makes the k-th server of a world.
func newServer(t testing.TB, kind string, k int, c edrsim.Config) *server {
	if c.Kind = kind; kind == edrsim.KindCloud {
		c.Token = "only-for-this/test"
	}
	c.Seed += uint64(k)
	s := &server{name: []string{"sim", "branch"}[k], kind: kind, sim: edrsim.New(c)}
	t.Cleanup(s.sim.Close)
	if kind == edrsim.KindCloud {
		s.newcomers.device = firstDevice - 1
	}
	return s
}

// endpoint is that of a number of the simulation.
func (s *server) endpoint(sensor int) edr.Endpoint {
	if s.kind == edrsim.KindCloud {
		sensor += firstDevice - 1
	}
	return edr.Endpoint{Server: s.name, ID: fmt.Sprint(sensor)}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	record := strings.HasPrefix(r.URL.Path, "/api/v1/sensor") || strings.HasPrefix(r.URL.Path, "/api/v2/sensor") || strings.Contains(r.URL.Path, "/devices/")
	switch {
	case record && s.withheld.Load():
		http.Error(w, "records are withheld", http.StatusServiceUnavailable)
		return
	case record && s.newcomers.count > 0:
		s.newcomers.record(w, r, s.sim)
		return
	case r.Method == http.MethodPost && s.newcomers.count > 0:
		s.newcomers.session(r)
	}
	s.sim.ServeHTTP(w, r)
}

// entry is the server's item of the configuration.
func (s *server) entry(w *world, url string) string {
	text := fmt.Sprintf("  - { name: %s, kind: %s, url: %q, token_file: %s/%s.token, sensor_poll: %s, sessions: %d", s.name, s.kind, url, w.dir, s.name, w.shape.poll, w.shape.sessions)
	if s.kind == kinds.CloudKind { // its default rate is for a product that many share
		text += fmt.Sprintf(", org_key: %s, rate: 200, burst: 200", s.sim.OrgKey())
	}
	return text + " }\n"
}

// event makes the n-th event, of a sensor of this server.
func (s *server) event(k kind, n, sensor int) (sent, error) {
	e := sent{kind: k, pid: 1000 + n, server: s.name, sensor: sensor, at: time.Now()}
	switch k {
	case poison:
		e.line = fmt.Sprintf(`{"type":"ingress.event.procstart","sensor_id":%d,"pid":%d,`, e.sensor, e.pid)
		return e, nil
	case jewel:
		e.sensor = protectedSensor
	case spared:
		e.sensor = max(sensor, firstServer)
	case late:
		if !s.newcomers.has(sensor) {
			e.sensor = min(sensor, firstServer-1)
		}
	}
	e.fresh = s.newcomers.has(e.sensor)
	e.line = s.procstart(e)
	found, rejects := new(events.Decoder).Decode(&events.Message{Body: []byte(e.line), ContentType: "application/json", Server: s.name})
	if len(found) != 1 || len(rejects) != 0 {
		return e, fmt.Errorf("our own event does not decode: %s", e.line)
	}
	if rule := ruleOf[k]; rule != "" {
		e.job = jobs.ID(rule, found[0].Event.ID, s.endpoint(e.sensor))
	}
	return e, nil
}

// procstart is the event as the server's product writes it; that of a stray names a
// server that is not configured.
func (s *server) procstart(e sent) string {
	if s.kind == edrsim.KindCloud {
		device := firstDevice - 1 + e.sensor
		return fmt.Sprintf(`{"type":"endpoint.event.procstart","version":"1.2.0","schema":1,"org_key":%q,"device_id":"%d","device_name":"CORP\\WKS-%04d","device_os":"WINDOWS","device_group":"",`+
			`"device_timestamp":%q,"action":"ACTION_CREATE_PROCESS","event_id":"%032x","childproc_guid":"%[1]s-%08[2]x-%08[7]x-00000000-1dc59f09ffeeddc","childproc_pid":%[7]d,"childproc_name":"c:\\temp\\%[8]s","target_cmdline":"%[8]s"}`,
			cmp.Or(map[kind]string{stray: "Z9Y8X7W6"}[e.kind], s.sim.OrgKey()), device, e.sensor, e.at.UTC().Format("2006-01-02 15:04:05.0000000 +0000 UTC"), e.pid, 0, e.pid, images[e.kind])
	}
	line := procstart(e.sensor, e.pid, images[e.kind], e.at)
	return strings.Replace(line, `"cb_server":"sim"`, fmt.Sprintf(`"cb_server":%q`, cmp.Or(map[kind]string{stray: "elsewhere"}[e.kind], s.name)), 1)
}
