//go:build !race

// Under the race detector the service is too slow for the pages' own time limits: `make pages`.

package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"golang.org/x/sync/errgroup"

	"edrpipe/internal/looseid"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edrsim"
)

// Names that endpoints could have.
var (
	turned  = "WS-\u202egnp.exe\u2066\u200b"
	endless = strings.Repeat("WS-LONG-NAME-", 316)
)

// many is how many jobs the pages have to hold.
const many = 10_000

const pageRules = `rules:
  - id: asks
    title: Ask before a list
    description: Something was started from a folder for downloads.
    false_positives: [installers]
    on: process_start
    when: process.name == "evil.exe"
    suppress: { for: 0s }
    steps:
      - uses: list_processes
        approval: { within: 1h }
  - id: other
    on: process_start
    when: process.name == "other.exe" and sensor.criticality >= 3
    steps: [{ uses: list_processes }]
`

// TestPagesHoldWhatComes looks at every page with many jobs, names that are hostile, and
// a server that does not answer any more.
func TestPagesHoldWhatComes(t *testing.T) {
	ctx := openBrowser(t)
	sim := edrsim.New(edrsim.Config{TimeScale: 100, Fleet: []edrsim.SensorSpec{
		{Hostname: hostile, OS: "windows"}, {Hostname: turned, OS: "windows"}, {Hostname: endless, OS: "windows"}, {Hostname: "WS-FOUR", OS: "windows"},
	}}).Start()
	t.Cleanup(sim.Close)
	r := startOn(t, sim, pageRules)
	events := r.postHostile(t)
	pages := map[string]string{
		"/": "Overview", "/jobs": "Jobs", "/approvals": "Approvals", "/events": "Events", "/rules": "Rules", "/rules/asks": "Ask before a list",
		"/sensors": "Sensors", "/guards": "Guards", "/why": "Why", "/live": "Live", "/artifacts": "Artifacts", "/dead": "Dead letters", "/connection": "Connection",
	}
	for _, i := range []int{1, 2} { // those with the name turned around, and the endless one
		pages["/events/"+events[i]] = "Event"
		pages[fmt.Sprintf("/endpoints/sim%%2F%d", i+1)] = ""
	}
	do(t, ctx, "log in", chromedp.Navigate(r.Server), chromedp.SendKeys("#token", r.Token), leads(chromedp.Click("form[action='/login'] button")), shows("h1", "Overview"))
	do(t, ctx, "questions to people", open("/approvals"), shows("main", strings.ToUpper(hostile)), shows("main", `WS-\u202eGNP.EXE\u2066\u200b`), shows("main", "WS-LONG-NAME-WS"))
	if text := evaluate[string](t, ctx, "document.body.textContent"); strings.ContainsAny(text, "\u202e\u2066\u200b") {
		t.Error("a name turns the text of the page around")
	}
	r.submitMany(t)
	do(t, ctx, "many jobs", open("/jobs"), shows("main", "1 to 100 of more than 100"), press("Further"), shows("main", "101 to 200 of more than 200"))
	do(t, ctx, "a search of them", open("/jobs?host=ws-four&sort=created"), shows("main", "1 to 100 of "+strings.TrimSuffix(fmt.Sprint(many), "000")+",000"))
	do(t, ctx, "an event and the clause that was false", open("/events/"+events[3]), shows("#verdict", "no rule matched"), shows("main", `process.name == "evil.exe" is false`), shows("main", `process.name == "other.exe" is false`))
	do(t, ctx, "a rule", open("/rules/asks"), shows("main", "3, at most"), shows("main pre", "evil.exe"), shows("main", "installers"))
	do(t, ctx, "a dead letter", keepWords(), open("/dead"), shows("main", "bad_json"), press("Put back"), press("Put back"), said("1 put back"))
	do(t, ctx, "the configuration", open("/connection"), shows("main", "the token is accepted"))
	t.Run("keyboard", func(t *testing.T) { tabThrough(t, ctx) })
	t.Run("pages", func(t *testing.T) { lookAtPages(t, ctx, screens, pages) })

	sim.Close()
	r.untilNeeded(t, "edr/sim")
	do(t, ctx, "the server is dead", open("/"), chromedp.Reload(), shows(".needs", "edr/sim"))
	do(t, ctx, "what is known of an endpoint", open("/endpoints/sim%2F4"), shows("h1", "WS-FOUR"), shows("main .problem", "server sim does not answer"), shows("main", "sensor.os"))
	do(t, ctx, "and the cure", open("/connection"), shows(".checks .bad", "failed"), shows(".cure", "→"))
	t.Run("pages of a dead server", func(t *testing.T) {
		lookAtPages(t, ctx, screens[1:3], map[string]string{"/": "Overview", "/sensors": "Sensors", "/endpoints/sim%2F3": "WS-LONG", "/why?about=ws-four": "Why", "/connection": "Connection"})
	})
}

// postHostile posts an event of each endpoint, and one that cannot be read. The first
// three have the rule ask people. It returns the ids when all are decided.
func (r running) postHostile(t *testing.T) []string {
	t.Helper()
	var body strings.Builder
	for i, host := range []string{hostile, turned, endless, "WS-FOUR"} {
		program := "evil.exe"
		if i == 3 {
			program = "good.exe"
		}
		line, err := json.Marshal(map[string]any{
			"type": "ingress.event.procstart", "sensor_id": i + 1, "computer_name": strings.ToUpper(host), "timestamp": time.Now().Unix(), "pid": 7 + i,
			"path": `c:\` + host + `\` + program, "command_line": host + "\u202e</script>", "process_guid": fmt.Sprintf("0000000%d-0000-0007-01da-ff710e784000", i+1), "cb_server": "sim",
		})
		if err != nil {
			t.Fatal(err)
		}
		body.Write(append(line, '\n'))
	}
	body.WriteString(`{"type" ` + hostile + "\u202e}\n")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.Server+"/v1/ingest", strings.NewReader(body.String()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer s3cret")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	said, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	var answer struct{ IDs []string }
	if err = errors.Join(err, json.Unmarshal(said, &answer)); err != nil || len(answer.IDs) != 4 {
		t.Fatalf("post events: %s: %s (%v)", res.Status, said, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for asked := []web.Approval(nil); len(asked) < 3; {
		if err := r.Get(ctx, "approvals", nil, &asked); err != nil {
			t.Fatalf("wait for three approvals, %d so far: %v", len(asked), err)
		}
	}
	return answer.IDs
}

// untilNeeded returns when something that needs people begins with the name: a health
// check takes its time on a machine with much to do.
func (r running) untilNeeded(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for {
		var o web.Overview
		if err := r.Get(ctx, "overview", nil, &o); err != nil {
			t.Fatalf("wait until %s needs people, %+v so far: %v", name, o.Needs, err)
		}
		for _, n := range o.Needs {
			if strings.HasPrefix(n.Text, name) {
				return
			}
		}
	}
}

// submitMany submits jobs that wait: everything is stopped.
func (r running) submitMany(t *testing.T) {
	t.Helper()
	if err := r.Post(t.Context(), "stop", web.Reason{Why: "the test needs jobs that wait"}, nil); err != nil {
		t.Fatal(err)
	}
	var g errgroup.Group
	g.SetLimit(16)
	for range many {
		g.Go(func() error {
			return r.kim.Post(t.Context(), "jobs", web.Submission{Sensor: looseid.ID("sim/4"), Steps: []actions.Step{{Uses: "list_processes"}}}, nil)
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatalf("submit %d jobs: %v", many, err)
	}
}

// tabThrough goes through a page by keyboard alone: first to the content, then in the
// order in which it is read.
func tabThrough(t *testing.T, ctx context.Context) {
	const place = `(() => { const all = [...document.querySelectorAll("a, button, input, select, summary")].filter((e) => e.checkVisibility() && !e.disabled); return all.indexOf(document.activeElement); })()`
	do(t, ctx, "begin", open("/rules"), shows("h1", "Rules"), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.activeElement.blur(), getSelection().removeAllRanges(), true"))
		return err
	}))
	do(t, ctx, "reload", chromedp.Reload(), shows("h1", "Rules"))
	for want := range 8 {
		do(t, ctx, "tab", chromedp.KeyEvent(kb.Tab))
		if got := evaluate[int](t, ctx, place); got != want {
			t.Errorf("after %d times Tab the focus is on element %d: %s", want+1, got, evaluate[string](t, ctx, "document.activeElement.outerHTML"))
		}
		if n := evaluate[float64](t, ctx, "parseFloat(getComputedStyle(document.activeElement).outlineWidth)"); n < 2 {
			t.Errorf("the focus cannot be seen on %s", evaluate[string](t, ctx, "document.activeElement.outerHTML"))
		}
	}
}
