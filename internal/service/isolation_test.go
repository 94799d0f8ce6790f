package service

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edrpipe/internal/health"
	"edrpipe/internal/looseid"
	"edrpipe/internal/selfsigned"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// door is the way to a simulated server, which can be closed in several ways.
type door struct {
	*httptest.Server
	mode    atomic.Pointer[string] // "": open
	authors string                 // PEM of what a client has to trust
}

// newDoor makes a door with TLS before a simulator.
func newDoor(t *testing.T, sim *edrsim.Server) *door {
	t.Helper()
	d := &door{}
	d.set("")
	certificate := func(name string, until time.Time) *tls.Certificate {
		c, err := selfsigned.New(selfsigned.Template{CommonName: name, NotBefore: time.Now().Add(-time.Hour), NotAfter: until})
		if err != nil {
			t.Fatal(err)
		}
		crt, _, err := selfsigned.PEM(c)
		if err != nil {
			t.Fatal(err)
		}
		d.authors += crt
		return &c
	}
	good, expired := certificate("good", time.Now().AddDate(0, 3, 0)), certificate("expired", time.Now().Add(-time.Minute))
	behind, err := url.Parse(sim.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 32}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	d.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch *d.mode.Load() {
		case "dead":
			panic(http.ErrAbortHandler)
		case "hanging":
			_, _ = io.Copy(io.Discard, r.Body) // before that the end of a connection is not noticed
			<-r.Context().Done()
		case "401":
			http.Error(w, "Invalid token", http.StatusUnauthorized)
		case "500":
			http.Error(w, "out of order", http.StatusInternalServerError)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	d.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if *d.mode.Load() == "expired certificate" {
			return &tls.Config{Certificates: []tls.Certificate{*expired}}, nil
		}
		return &tls.Config{Certificates: []tls.Certificate{*good}}, nil
	}}
	d.Config.ErrorLog = log.New(io.Discard, "", 0)
	d.StartTLS()
	t.Cleanup(func() {
		d.set("")
		d.CloseClientConnections()
		d.Close()
		proxy.Transport.(*http.Transport).CloseIdleConnections()
	})
	return d
}

// set changes how the door is closed; "" opens it.
func (d *door) set(mode string) {
	d.mode.Store(&mode)
	if d.Server != nil {
		d.CloseClientConnections()
	}
}

// check is a service's check of a server.
func (r running) check(name string) health.Check {
	for _, c := range r.health(r.t.Context()) {
		if c.Name == name {
			return c
		}
	}
	return health.Check{}
}

// ask submits a job as a person does.
func (r running) ask(sensor, action string) string {
	r.t.Helper()
	line, err := r.Service.console.Submit(r.t.Context(), web.User{Name: "ada"}, web.Submission{Sensor: looseid.ID(sensor), Steps: []actions.Step{{ID: "a", Uses: action}}})
	if err != nil {
		r.t.Fatalf("submit on %s: %v", sensor, err)
	}
	return line.ID
}

func (r running) state(id string) jobs.State {
	r.t.Helper()
	j, err := r.fleet.Get(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return j.State
}

// TestAServerThatFailsHoldsItsOwnJobsOnly: whatever is wrong with one server, its jobs
// wait with what it answers as their reason, those of the other run, and all is well by
// itself when the server is.
func TestAServerThatFailsHoldsItsOwnJobsOnly(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]struct{ word, evidence string }{
		"dead":                {"unreachable", "EOF"},
		"hanging":             {"timeout", ""},
		"401":                 {"unauthorized", "HTTP 401"},
		"500":                 {"server_error", "HTTP 500"},
		"expired certificate": {"certificate", "expired"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			hq, branch := fleetOf(t, 3), fleetOf(t, 3)
			d := newDoor(t, hq)
			p := newServersPlace(t, map[string]*edrsim.Server{"hq": hq, "branch": branch}, listProcesses, nil, "")
			p.write("ca.pem", d.authors)
			p.write("pipeline.yaml", strings.Replace(p.read("pipeline.yaml"), fmt.Sprintf("name: hq, url: %q", hq.URL), fmt.Sprintf("name: hq, url: %q, ca: %s/ca.pem", d.URL, p.dir), 1))
			r := p.run()
			await(t, 20*time.Second, "both servers work", func() bool {
				return r.check("edr/hq").State == health.OK && r.check("edr/branch").State == health.OK
			})
			await(t, 20*time.Second, "the records of hq's endpoints", func() bool {
				_, err := r.fleet.Member("hq").Directory.Lookup("1")
				return err == nil
			})
			began := time.Now()
			d.set(mode)
			waiting, isolation := r.ask("hq/1", "list_processes"), ""
			await(t, time.Minute, "hq is known to fail", func() bool { return r.check("edr/hq").State == health.Failed })
			isolation = r.ask("hq/2", "isolate")
			other := r.ask("branch/1", "list_processes")
			await(t, 20*time.Second, "the other server's job", func() bool { return r.state(other) == jobs.Succeeded })

			c := r.check("edr/hq")
			if !strings.HasPrefix(c.Evidence, want.word+": ") || !strings.Contains(c.Evidence, want.evidence) || c.Cure == "" || c.Since.Before(began.Add(-time.Second)) {
				t.Errorf("the check of hq: %+v", c)
			}
			if c := r.check("edr/branch"); c.State != health.OK {
				t.Errorf("the check of branch: %+v", c)
			}
			for _, id := range []string{waiting, isolation} {
				x, err := r.fleet.Explain(t.Context(), id)
				if err != nil || x.Job.State.Terminal() || x.Reason != jobs.ReasonServer || !strings.Contains(x.Detail, want.word) || !strings.Contains(x.Detail, want.evidence) {
					t.Errorf("job %s is %s, and waits for %s: %s (%v)", id, x.Job.State, x.Reason, x.Detail, err)
				}
			}
			if why, err := r.Service.console.Why(t.Context(), "sensor:hq/1", web.EventQuery{}); err != nil || !strings.Contains(fmt.Sprint(why.Lines), "WKS-0001") {
				t.Errorf("why sensor: %v, %v", why.Lines, err)
			}
			if up := metric(t, r, "edrpipe_edr_up"); !strings.Contains(up, `server="branch"} 1`) || !strings.Contains(up, `server="hq"} 0`) {
				t.Errorf("metric: %s", up)
			}
			d.set("")
			await(t, 90*time.Second, "hq's jobs, by themselves", func() bool {
				return r.state(waiting) == jobs.Succeeded && r.state(isolation) == jobs.Succeeded
			})
			if c := r.check("edr/hq"); c.State != health.OK {
				t.Errorf("the check of hq afterwards: %+v", c)
			}
		})
	}
}

// metric prints the samples of a metric.
func metric(t *testing.T, r running, name string) string {
	t.Helper()
	r.servers()
	families, err := r.metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				fmt.Fprintf(&b, "%s=%q", l.GetName(), l.GetValue())
			}
			fmt.Fprintf(&b, "} %v\n", m.GetGauge().GetValue())
		}
	}
	return b.String()
}

// TestAChangedTokenIsTakenWithoutARestart, and one that cannot be used is not.
func TestAChangedTokenIsTakenWithoutARestart(t *testing.T) {
	t.Parallel()
	p := newPlace(t, fleetOf(t, 2), listProcesses, "")
	p.write("edr.token", "an-old-one")
	r := p.run()
	await(t, 20*time.Second, "the token is refused", func() bool { return strings.HasPrefix(r.check("edr/sim").Evidence, "unauthorized: ") })
	id := r.ask("1", "list_processes")
	p.write("edr.token", "  \n")
	p.write("edr.token", p.sim.Token)
	await(t, 30*time.Second, "the job", func() bool { return r.state(id) == jobs.Succeeded })
	p.write("edr.token", "two words")
	await(t, 20*time.Second, "another job with the token from before", func() bool { return r.state(r.ask("2", "list_processes")) != "" })
}

// TestSlotsAreCountedPerServer: each server grants its own sessions.
func TestSlotsAreCountedPerServer(t *testing.T) {
	t.Parallel()
	sims := map[string]*edrsim.Server{"hq": fleetOf(t, 4), "branch": fleetOf(t, 4)}
	settings := map[string]string{"hq": ", sessions: 2, reserve: 0", "branch": ", sessions: 3, reserve: 0"}
	r := newServersPlace(t, sims, listProcesses, settings, "").run()
	var ids []string
	for sensor := 1; sensor <= 4; sensor++ {
		for name := range sims {
			ids = append(ids, r.ask(fmt.Sprintf("%s/%d", name, sensor), "list_processes"))
		}
	}
	for _, m := range r.fleet.Members() {
		if got, want := m.Scheduler.Stats().Limit, map[string]int{"hq": 2, "branch": 3}[m.Name]; got != want {
			t.Errorf("server %s: limit %d, want %d", m.Name, got, want)
		}
	}
	await(t, time.Minute, "all jobs", func() bool {
		for _, m := range r.fleet.Members() {
			for at := range m.Scheduler.Stats().Claims {
				if at.Server != m.Name {
					t.Fatalf("the slot table of %s has %s", m.Name, at)
				}
			}
		}
		for _, id := range ids {
			if r.state(id) != jobs.Succeeded {
				return false
			}
		}
		return true
	})
}
