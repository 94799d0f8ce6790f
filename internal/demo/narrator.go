package demo

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/jobs"
)

// A Narrator prints the job notices of the bus as lines on a screen and counts them. It
// reads only the subjects that any consumer may read.
type Narrator struct {
	Screen  *Screen
	Servers bool // endpoints are shown with their server

	mu      sync.Mutex
	seen    map[string]*jobs.TransitionNotice // last transition by job
	Results []jobs.ResultNotice
	Refused int // matches that made no job
}

// envelope is the part of a CloudEvent that matters here.
type envelope struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// Hear takes a message of edr.jobs.> or edr.results.>.
func (n *Narrator) Hear(body []byte) error {
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("notice: %w", err)
	}
	switch {
	case strings.HasPrefix(e.Type, "edrpipe.job.transition."):
		return hear(e, n.transition)
	case strings.HasPrefix(e.Type, "edrpipe.job.step."):
		return hear(e, n.step)
	case strings.HasPrefix(e.Type, "edrpipe.job.result."):
		return hear(e, n.result)
	case strings.HasPrefix(e.Type, "edrpipe.decision."):
		return hear(e, n.decision)
	}
	return nil
}

func hear[T any](e envelope, tell func(T)) error {
	var v T
	if err := json.Unmarshal(e.Data, &v); err != nil {
		return fmt.Errorf("notice %s: %w", e.Type, err)
	}
	tell(v)
	return nil
}

func (n *Narrator) transition(t jobs.TransitionNotice) {
	n.mu.Lock()
	if n.seen == nil {
		n.seen = map[string]*jobs.TransitionNotice{}
	}
	last := n.seen[t.Job]
	n.seen[t.Job] = &t
	n.mu.Unlock()
	switch {
	case t.State.Terminal():
	case last == nil:
		n.Screen.Say(MarkMatch, "rule %s wants job %s on %s", t.Rule, short(t.Job), n.where(t.Server, t.Host, t.Sensor))
	case t.State == jobs.Parked || t.State == jobs.Held:
		n.Screen.Say(MarkWait, "job %s on %s: %s %s", short(t.Job), n.where(t.Server, t.Host, t.Sensor), t.Reason, t.Detail)
	}
	n.status()
}

func (n *Narrator) status() {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := map[jobs.State]int{}
	for _, t := range n.seen {
		count[t.State]++
	}
	n.Screen.Status("jobs: %d queued, %d parked, %d held, %d running, %d ended", count[jobs.Queued], count[jobs.Parked], count[jobs.Held], count[jobs.Running], len(n.Results))
}

func (n *Narrator) step(s jobs.StepNotice) {
	mark, text := MarkStep, brief(s.Output)
	if s.Error != "" {
		mark, text = MarkFail, s.Error
	}
	n.mu.Lock()
	where := ""
	if t := n.seen[s.Job]; t != nil {
		where = n.where(t.Server, t.Host, t.Sensor)
	}
	n.mu.Unlock()
	n.Screen.Say(mark, "%s %s on %s %s", s.Uses, s.State, where, text)
}

func (n *Narrator) result(r jobs.ResultNotice) {
	n.mu.Lock()
	n.Results = append(n.Results, r)
	n.mu.Unlock()
	mark := MarkDone
	switch r.State {
	case jobs.Succeeded, jobs.Shadowed, jobs.Skipped:
	default:
		mark = MarkFail
	}
	n.Screen.Say(mark, "job %s (%s) on %s %s %s", short(r.Job), r.Rule, n.where(r.Server, r.Host, r.Sensor), r.State, r.Detail)
	n.status()
}

// Decision is a match without a job, as published on the bus.
type Decision struct {
	Rule   string `json:"rule"`
	Event  string `json:"event"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

func (n *Narrator) decision(d Decision) {
	n.mu.Lock()
	n.Refused++
	n.mu.Unlock()
	n.Screen.Say(MarkRefuse, "rule %s: %s %s", d.Rule, d.Reason, d.Detail)
}

// Ended returns the number of jobs that have ended.
func (n *Narrator) Ended() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.Results)
}

// Begun returns the number of jobs made.
func (n *Narrator) Begun() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.seen)
}

func short(id string) string { return id[:min(8, len(id))] }

// where names the endpoint of a job.
func (n *Narrator) where(server, host string, sensor looseid.ID) string {
	if host == "" {
		host = "sensor " + string(sensor)
	}
	if n.Servers {
		return server + "/" + host
	}
	return host
}

// brief shows what a step found in what is left of a line.
func brief(output json.RawMessage) string {
	var found struct {
		Processes []json.RawMessage
		Artifact  struct {
			Path, SHA256 string
			Size         int64
		}
		Type string
		Data any
	}
	if json.Unmarshal(output, &found) == nil {
		switch {
		case found.Processes != nil:
			return fmt.Sprintf("found %d processes", len(found.Processes))
		case found.Artifact.SHA256 != "":
			return fmt.Sprintf("took %s, %d bytes, SHA-256 %.12s…", found.Artifact.Path, found.Artifact.Size, found.Artifact.SHA256)
		case found.Type != "" && found.Data != nil:
			return fmt.Sprintf("read %v (%s)", found.Data, found.Type)
		}
	}
	const most = 90
	s := []rune(string(output))
	if len(s) > most {
		return string(s[:most-1]) + "…"
	}
	return string(s)
}
