package service

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/config"
	"edrpipe/internal/health"
	"edrpipe/internal/listsource"
	"edrpipe/pkg/edrsim"
)

// TestListsFromElsewhere come into force while the service runs, and are in force after
// a start without their server; the check says that a server does not answer.
func TestListsFromElsewhere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a.example\nb.example\n")) }))
	t.Cleanup(server.Close)
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	p.write("rules/lists/bad.txt", "# type: domain\nown.example\n")
	settings := p.read("pipeline.yaml")
	source := "\nlist_sources: [ { name: bad, url: '" + server.URL + "', every: 1m } ]\n"
	p.write("pipeline.yaml", settings+source)
	lists := func(r running) health.Check {
		for _, c := range r.health(r.t.Context()) {
			if c.Name == "lists" {
				return c
			}
		}
		return health.Check{}
	}
	has := func(r running, value string) bool { return r.rules.Live.Set().Source().Lists.Has("bad", value) }
	t.Run("fetched", func(t *testing.T) {
		r := p.on(t).run()
		await(t, time.Minute, "the values", func() bool { return has(r, "b.example") })
		if c := lists(r); !has(r, "own.example") || c.State != health.OK || !strings.Contains(c.Evidence, "bad: 2 entries from elsewhere") {
			t.Errorf("own entry %v, %+v", has(r, "own.example"), c)
		}
	})
	server.Close()
	t.Run("started without the server", func(t *testing.T) {
		r := p.on(t).run()
		if !has(r, "a.example") {
			t.Error("the values are not in force")
		}
		p.write("rules/lists/bad.txt", "# type: ip\n# empty: ok\n")
		if err := r.rules.Live.Reload(); err != nil {
			t.Fatal(err)
		}
		if c := lists(r); !strings.Contains(c.Evidence, "bad: 0 entries from elsewhere are in force") {
			t.Errorf("after the type of the list has changed: %+v", c)
		}
		p.write("rules/lists/bad.txt", "# type: domain\nown.example\n")
	})
	p.write("pipeline.yaml", settings+strings.Replace(source, server.URL, server.URL+"/moved", 1))
	t.Run("never fetched", func(t *testing.T) {
		r := p.on(t).run()
		await(t, time.Minute, "the check", func() bool { return lists(r).State == health.Degraded })
		if c := lists(r); c.Since.IsZero() || c.Cure == "" || !strings.Contains(c.Evidence, "nothing was fetched yet; not renewed: ") {
			t.Errorf("%+v", c)
		}
	})
	p.write("pipeline.yaml", settings+strings.Replace(source, "name: bad", "name: other", 1)+"egress: { hosts: [lists.example] }\n")
	cfg, _, err := config.Load(p.dir+"/pipeline.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = Preflight(cfg)
	for _, want := range []string{"list_sources[0].name: there is no list other", "list_sources[0].url: 127.0.0.1 is not in egress.hosts"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("preflight: %v, want %q", err, want)
		}
	}
}

// TestHealthOfSeveralLists: each that is wrong stands with what to do for it.
func TestHealthOfSeveralLists(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	fine := listsource.State{Evidence: "c: 4 entries"}
	a := listsource.State{Evidence: "a: too large", Failing: true, Since: at.Add(time.Hour), Cure: "raise max_bytes"}
	b := listsource.State{Evidence: "b: away", Failing: true, Since: at, Cure: "see that it answers"}
	files := health.Bad("lists", health.Degraded, "mend the files", "a file")
	files.Since = at.Add(-time.Hour)
	for want, have := range map[string]health.Check{
		"ok|c: 4 entries||00": withSources(health.Good("lists", ""), []listsource.State{fine}),
		"degraded|b: away; c: 4 entries|see that it answers|00":                                                                              withSources(health.Good("lists", ""), []listsource.State{fine, b}),
		"degraded|a: too large (raise max_bytes); b: away (see that it answers); c: 4 entries|the evidence says what to do for each list|00": withSources(health.Good("lists", ""), []listsource.State{a, fine, b}),
		"degraded|a file (mend the files); b: away (see that it answers)|the evidence says what to do for each list|23":                      withSources(files, []listsource.State{b}),
		"degraded|a file; c: 4 entries|mend the files|23":                                                                                    withSources(files, []listsource.State{fine}),
	} {
		if got := strings.Join([]string{string(have.State), have.Evidence, have.Cure, have.Since.Format("15")}, "|"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
