package main

import (
	"cmp"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"edrpipe/internal/health"
)

var nightPage = flag.String("night", "", "try every situation of the night, against the time, and write this page")

// nightAnswer is how long after its own interval of looking the service may take to name
// a cause.
const nightAnswer = 10 * time.Second

// situation is something that goes wrong at night: how it is made, what names its cause,
// and the one step that cures it.
type situation struct {
	name  string
	fault string // how it is made
	short bool   // tried by every `go test`, too

	// looks is how long it takes at the most until the service looks at what went wrong,
	// and interval says why.
	looks    time.Duration
	interval string

	setup  func(t *testing.T) nightSetup
	strike func(w *nightWorld)

	// health, page and why are expressions of what names the cause in `pipeline health`, in
	// what the dashboard shows and in `pipeline why`. One that begins with "—" is a reason
	// why that is no matter of it.
	health, page, why string
	ask               func(w *nightWorld) (status int, out string) // in place of `pipeline why JOB`; nil: that
	sick              func(w *nightWorld) string                   // in place of `pipeline health`; nil: that
	look              func(w *nightWorld) []string                 // what the dashboard shows; nil: the first page and the job's line

	cure   string // as a person does it
	heal   func(w *nightWorld)
	healed func(w *nightWorld) bool // what goes on after it; nil: the job succeeds
}

// sighting is when and how a cause was named.
type sighting struct {
	after time.Duration
	text  string
	none  string // why it is no matter of this place
}

type nightResult struct {
	situation
	health, page, why sighting
	cured             time.Duration
}

// TestNight tries the situations of the night on the real program and a simulated EDR
// server: each is made, health, dashboard and why have to name the true cause, and one
// step has to cure it, after which every check is ok and work goes on. Without -night it
// tries a few, and time does not count.
func TestNight(t *testing.T) {
	t.Parallel()
	all := slices.Concat(nightServers(), nightRules(), nightGuards(), nightJobs(), nightInput(), nightBus(), nightPeople())
	results := make([]*nightResult, len(all))
	t.Run("situations", func(t *testing.T) {
		places := make(chan struct{}, 3) // at once: more would measure the machine
		for i, s := range all {
			if !s.short && *nightPage == "" {
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				places <- struct{}{}
				defer func() { <-places }()
				results[i] = s.try(t)
			})
		}
	})
	http.DefaultClient.CloseIdleConnections()
	if *nightPage == "" {
		return
	}
	if err := os.WriteFile(*nightPage, []byte(nightTable(results)), 0o644); err != nil {
		t.Error(err)
	}
}

// try makes the situation, has it named, and cures it.
func (s situation) try(t *testing.T) *nightResult {
	setup := nightSetup{}
	if s.setup != nil {
		setup = s.setup(t)
	}
	w := newNight(t, setup)
	w.await("every check is ok before", w.healthy)
	r := &nightResult{situation: s}
	began := time.Now()
	s.strike(w)
	var places sync.WaitGroup
	see := func(place, want string, into *sighting, look func() string) {
		if reason, none := strings.CutPrefix(want, "—"); none {
			into.none = strings.TrimSpace(reason)
			return
		}
		places.Go(func() {
			s.see(t, place, regexp.MustCompile(want), began, into, look)
			into.text = strings.ReplaceAll(into.text, w.dir+"/", "")
		})
	}
	see("health", s.health, &r.health, func() string { return s.felt(w) })
	see("dashboard", s.page, &r.page, func() string { return s.shown(w) })
	see("why", s.why, &r.why, func() string { return s.asked(w) })
	places.Wait()
	if t.Failed() {
		return r
	}
	began = time.Now()
	s.heal(w)
	if s.healed == nil {
		s.healed = func(w *nightWorld) bool { return w.state() == "succeeded" }
	}
	w.await("work goes on", func() bool { return s.healed(w) })
	w.await("every check is ok again", w.healthy)
	r.cured = time.Since(began)
	return r
}

// see notes when a place names the cause. What it said at the end is told where it does not.
func (s situation) see(t *testing.T, place string, want *regexp.Regexp, began time.Time, into *sighting, look func() string) {
	limit, last := time.Minute, ""
	if *nightPage != "" {
		limit = s.looks + nightAnswer
	}
	if !within(limit-time.Since(began), func() bool { last = look(); into.text = want.FindString(last); return into.text != "" }) {
		t.Errorf("%s does not name the cause (%s) within %v: %s", place, want, limit, last)
	}
	into.after = time.Since(began)
}

// felt is what `pipeline health` prints.
func (s situation) felt(w *nightWorld) string {
	if s.sick != nil {
		return s.sick(w)
	}
	_, out := w.pipeline("health")
	return out
}

// asked is the answer to the question of why.
func (s situation) asked(w *nightWorld) string {
	if s.ask != nil {
		_, out := s.ask(w)
		return out
	}
	_, out := w.pipeline("why", cmp.Or(w.job, "WKS-0001"))
	return out
}

// shown is what the dashboard shows of it: what needs people, checks that are not ok, and
// the line of the job.
func (s situation) shown(w *nightWorld) string {
	if s.look != nil {
		return strings.Join(s.look(w), "\n")
	}
	o, err := w.overview()
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, n := range o.Needs {
		all = append(all, "needs you: "+n.Text)
	}
	for _, c := range o.Checks {
		if c.State != health.OK {
			all = append(all, fmt.Sprintf("check %s: %s: %s", c.Name, c.State, c.Evidence))
		}
	}
	return strings.Join(all, "\n")
}

// nightTable is the page of the results.
func nightTable(results []*nightResult) string {
	var b strings.Builder
	b.WriteString("# What a person meets at night\n\nWritten by `make night` from a run of the real program against a simulated EDR server: each\nsituation is made, and the time is taken until `pipeline health`, the dashboard (the calls of\nits pages) and `pipeline why` name the true cause. Then the one step of the cure is done, and\nthe time is taken until the work goes on and every check is ok again. Each cause has to be\nnamed within ten seconds after the service looks, at the intervals of the second column.\n\n")
	b.WriteString("| situation | the service looks | health | dashboard | why | cured after |\n|---|---|---|---|---|---|\n")
	for _, r := range results {
		if r != nil && r.cured > 0 {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.name, r.interval, r.health.seconds(), r.page.seconds(), r.why.seconds(), seconds(r.cured))
		}
	}
	b.WriteString("\nSeconds; — where that is no matter of the place, see below.\n")
	for _, r := range results {
		if r == nil || r.cured == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\nMade by: %s.\n\n", r.name, r.fault)
		for _, place := range []struct {
			name string
			of   sighting
		}{{"health", r.health}, {"dashboard", r.page}, {"why", r.why}} {
			if place.of.none != "" {
				fmt.Fprintf(&b, "- %s: — %s\n", place.name, place.of.none)
				continue
			}
			fmt.Fprintf(&b, "- %s, after %s s: `%s`\n", place.name, seconds(place.of.after), strings.ReplaceAll(place.of.text, "`", "'"))
		}
		fmt.Fprintf(&b, "- cure: %s\n", r.cure)
	}
	return b.String()
}

func (s sighting) seconds() string {
	if s.none != "" {
		return "—"
	}
	return seconds(s.after)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }
