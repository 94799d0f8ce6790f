package console

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

func TestJobsAreSelectedByWhatPeopleKnow(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	all := []*jobs.Job{
		{ID: "a", Rule: "office", Host: "WS-ANN", Endpoint: edr.Endpoint{Server: "hq", ID: "1"}, Created: at, State: jobs.Failed, Steps: []actions.Step{{Uses: "kill_process"}}, Event: started("winword.exe", "powershell -enc AAAA")},
		{ID: "b", Rule: "temp", Host: "ws-bob", Created: at.Add(time.Hour), State: jobs.Succeeded, Steps: []actions.Step{{Uses: "get_file"}}},
		{ID: "c", Submitter: "ada", Host: "SRV", Created: at.Add(2 * time.Hour), State: jobs.Shadowed, Detail: "breaker", Steps: []actions.Step{{Uses: "isolate"}}},
	}
	for name, c := range map[string]struct {
		q    web.JobQuery
		want string
	}{
		"all, newest first":      {web.JobQuery{}, "c b a"},
		"part of a host":         {web.JobQuery{Host: "ws-"}, "b a"},
		"server":                 {web.JobQuery{Server: "HQ"}, "a"},
		"action":                 {web.JobQuery{Action: "isolate"}, "c"},
		"words of the story":     {web.JobQuery{Text: "Powershell WINWORD"}, "a"},
		"words that do not meet": {web.JobQuery{Text: "powershell bob"}, ""},
		"reason":                 {web.JobQuery{Text: "breaker"}, "c"},
		"until":                  {web.JobQuery{Until: at.Add(time.Hour)}, "b a"},
		"by host":                {web.JobQuery{Sort: "host"}, "c a b"},
		"by host, reversed":      {web.JobQuery{Sort: "-host"}, "b a c"},
		"oldest first":           {web.JobQuery{Sort: "created"}, "a b c"},
	} {
		var found []place
		for _, j := range all {
			if selects(c.q, j) {
				found = append(found, placeOf(j))
			}
		}
		slices.SortFunc(found, inOrder(c.q.Sort))
		var got []string
		for _, p := range found {
			got = append(got, p.id)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
	if got := pageOf(all, 2, 5); len(got) != 1 || len(pageOf(all, 9, 5)) != 0 {
		t.Errorf("pages: %v", got)
	}
}

func TestSpanOfAQuery(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for query, want := range map[string]string{
		"":                           "2026-01-01T12:00:00Z",
		"until=2026-01-02T03:30:00Z": "2026-01-01T03:30:00Z",
		"until=2026-02-02T03:30:00Z": "2026-01-01T12:00:00Z",
		"since=2026-01-02T03:00:00Z&until=2026-01-02T03:30:00Z": "2026-01-02T03:00:00Z",
		"since=03:00": "since: write a time such as",
		"until=x":     "until: write a time such as",
		"since=2026-01-02T03:30:00Z&until=2026-01-02T03:00:00Z": "until: 2026-01-02T03:00:00Z is before since, 2026-01-02T03:30:00Z",
	} {
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		since, until, err := spanOf(v)
		if err != nil {
			if !errors.Is(err, web.ErrBadRequest) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", query, err, want)
			}
			continue
		}
		if got := startOf(since, until, now, 24*time.Hour).Format(time.RFC3339); got != want {
			t.Errorf("%s begins %s, want %s", query, got, want)
		}
	}
}

func started(parent, command string) *events.Event {
	e := &events.Event{}
	e.Event.Kind, e.Sensor.Hostname = events.ProcessStart, "WS-ANN"
	e.Process.CommandLine, e.Process.Parent.Name = command, parent
	return e
}

func TestStory(t *testing.T) {
	t.Parallel()
	for want, j := range map[string]*jobs.Job{
		"winword.exe started powershell -enc AAAA on WS-ANN": {Host: "WS-ANN", Event: started("winword.exe", "powershell -enc AAAA")},
		"ada asked for get_file, isolate on WS-BOB":          {Submitter: "ada", Host: "WS-BOB", Steps: []actions.Step{{Uses: "get_file"}, {Uses: "isolate"}}},
		"undo of job x: isolate on WS-BOB":                   {Of: "x", Host: "WS-BOB", Steps: []actions.Step{{ID: "undo", Uses: "isolate"}}},
	} {
		if got := story(j); got != want {
			t.Errorf("story = %q, want %q", got, want)
		}
	}
}

func TestSameHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"WS-ANN", "ws-ann.corp.example", true},
		{`CORP\WS-ANN`, "ws-ann", true},
		{"ws-ann", "ws-anna", false},
		{"ACCOUNTING-0042-LONG", "accounting-0042", true},
		{"", "", false},
	} {
		if got := sameHost(c.a, c.b); got != c.want {
			t.Errorf("sameHost(%q, %q) = %v", c.a, c.b, got)
		}
	}
}
