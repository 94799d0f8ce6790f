package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"golang.org/x/sync/errgroup"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

// A Stage is the running service, as far as the show needs it.
type Stage interface {
	// Publish puts a message on the bus as the EDR's bridge would.
	Publish(ctx context.Context, m events.Message) error
	// Notices calls see with each job notice of the bus, until ctx ends.
	Notices(ctx context.Context, see func(subject string, body []byte)) error
	// Tally counts what the service has done so far.
	Tally(ctx context.Context) (Tally, error)
}

// Tally is what the service counts.
type Tally struct {
	Messages, Events, Matches, Dead int
	Artifacts                       []actions.Artifact
}

// Show plays the story on a stage.
type Show struct {
	Screen    *Screen
	Stage     Stage
	Simulator *edrsim.Server
	Sides     []Side        // servers of both kinds: the second one has a story of its own; nil: one server
	Dir       string        // of everything that the demo keeps
	Web       string        // dashboard
	Token     string        // file with the dashboard's token
	Within    time.Duration // after that it has failed
}

// ErrUnfinished: some job had not ended in time.
var ErrUnfinished = errors.New("the demo did not finish in time")

// Run plays the story, waits for every job's end, and sums up.
func (s Show) Run(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, s.Within)
	defer stop()
	n := &Narrator{Screen: s.Screen, Servers: s.Sides != nil}
	var listening errgroup.Group
	heard := make(chan struct{}, 1)
	listening.Go(func() error {
		return s.Stage.Notices(ctx, func(_ string, body []byte) {
			if err := n.Hear(body); err != nil {
				s.Screen.Say(MarkFail, "%v", err)
			}
			select {
			case heard <- struct{}{}:
			default:
			}
		})
	})
	s.Screen.Plain(s.title())
	err := s.tell(ctx)
	for err == nil && !s.ended(n) {
		select {
		case <-ctx.Done():
			err = fmt.Errorf("%w: %d of %d jobs have ended", ErrUnfinished, n.Ended(), n.Begun())
		case <-heard:
		}
	}
	if err == nil {
		err = s.sum(ctx, n)
	}
	stop()
	return errors.Join(err, listening.Wait())
}

func (s Show) title() string {
	const form = "edrpipe demo: %d simulated endpoints, time runs %d times faster there; files in %s\n"
	if s.Sides == nil {
		return fmt.Sprintf(form, len(Fleet()), Scale, s.Dir)
	}
	title := fmt.Sprintf("edrpipe demo: %d simulated endpoints, time runs %d times faster there;\nfiles in %s\n", len(Fleet())+len(CloudFleet()), Scale, s.Dir)
	for _, side := range s.Sides {
		title += fmt.Sprintf("server %s is of kind %s\n", side.Server, side.Kind)
	}
	return title
}

// ended: the sleeping sensor's job is the last to come to its end.
func (s Show) ended(n *Narrator) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	ended := 0
	for _, t := range n.seen {
		switch {
		case t.State.Terminal():
			ended++
		case t.Reason != jobs.ReasonDelayed:
			return false
		}
	}
	return ended > 0 && len(n.Results) >= ended // each has a result, which is heard by itself
}

// tell publishes the events of the story, each at its time.
func (s Show) tell(ctx context.Context) error {
	beats, err := s.story(time.Now())
	if err != nil {
		return err
	}
	for _, b := range beats {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(b.After - time.Since(s.Screen.Start)):
		}
		s.Screen.Say(MarkStory, "%s", b.Caption)
		if err := s.Stage.Publish(ctx, b.Message); err != nil {
			return err
		}
	}
	return nil
}

// story is what happens at all servers, in order of time.
func (s Show) story(now time.Time) ([]Beat, error) {
	shell, err := s.shell()
	if err != nil {
		return nil, err
	}
	beats := Story(now, shell)
	if s.Sides == nil {
		return beats, nil
	}
	cloud, err := CloudStory(now, s.Sides[1].Sim)
	if err != nil {
		return nil, err
	}
	beats = append(beats, cloud...)
	slices.SortStableFunc(beats, func(a, b Beat) int { return cmp.Compare(a.After, b.After) })
	return beats, nil
}

// shell is the GUID of the process that the first event is about.
func (s Show) shell() (string, error) {
	running, err := s.Simulator.Processes(Ann)
	if err != nil {
		return "", err
	}
	for _, p := range running {
		if p.PID == ShellPID {
			return p.GUID, nil
		}
	}
	return "", fmt.Errorf("process %d does not run on sensor %d", ShellPID, Ann)
}

// sum prints what happened, in numbers, and where to look next.
func (s Show) sum(ctx context.Context, n *Narrator) error {
	t, err := s.Stage.Tally(ctx)
	if err != nil {
		return err
	}
	c := s.Simulator.Counters()
	by := map[jobs.State]int{}
	for _, r := range n.Results {
		by[r.State]++
	}
	var outcomes []string
	for _, state := range jobs.EndedStates() {
		if by[state] > 0 {
			outcomes = append(outcomes, fmt.Sprintf("%d %s", by[state], state))
		}
	}
	s.Screen.Status("")
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d messages, %d events, %d matches, %d jobs (%s),\n%d without a job, %d dead letters\n",
		t.Messages, t.Events, t.Matches, len(n.Results), strings.Join(outcomes, ", "), n.Refused, t.Dead)
	if s.Sides != nil {
		b.WriteString("\n" + sidesTable(s.Sides, n.Results))
	} else {
		fmt.Fprintf(&b, "Live Response: %d sessions opened, at most %d at a time, %d commands run\n", c.Sessions.Opened, c.Sessions.Peak, c.Commands)
	}
	b.WriteString(artifactTable(t.Artifacts))
	fmt.Fprintf(&b, "\nThree things to try:\n  1. pipeline demo --keep            the same, and then the dashboard to look at\n  2. pipeline init --sim my-edrpipe  a directory of your own, with a first rule\n  3. examples/rules                  change a rule that acted, run it again\n")
	s.Screen.Plain(b.String())
	if n.Ended() == 0 || by[jobs.Succeeded] == 0 {
		return errors.New("no job succeeded")
	}
	return nil
}

// tail keeps the end of a path, where its name is.
func tail(path string, most int) string {
	r := []rune(path)
	if len(r) <= most {
		return path
	}
	return "…" + string(r[len(r)-most+1:])
}

func artifactTable(all []actions.Artifact) string {
	if len(all) == 0 {
		return "no file was collected\n"
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options.DrawBorder, t.Style().Options.SeparateColumns = false, false
	t.AppendHeader(table.Row{"collected file", "sensor", "bytes", "SHA-256"})
	for _, a := range all {
		t.AppendRow(table.Row{tail(a.Path, 42), a.Sensor, a.Size, a.SHA256[:min(12, len(a.SHA256))] + "…"})
	}
	return t.Render() + "\n"
}
