package demo

import (
	"context"
	"errors"
	"fmt"
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
	n := &Narrator{Screen: s.Screen}
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
	s.Screen.Plain(fmt.Sprintf("edrpipe demo: %d simulated endpoints, time runs %d times faster there; files in %s\n", len(Fleet()), Scale, s.Dir))
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

// ended: the sleeping sensor's job is the last to come to its end.
func (s Show) ended(n *Narrator) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.seen {
		if !t.State.Terminal() && t.Reason != jobs.ReasonDelayed {
			return false
		}
	}
	return len(n.seen) > 0
}

// tell publishes the events of the story, each at its time.
func (s Show) tell(ctx context.Context) error {
	shell, err := s.shell()
	if err != nil {
		return err
	}
	for _, b := range Story(time.Now(), shell) {
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
	fmt.Fprintf(&b, "Live Response: %d sessions opened, at most %d at a time, %d commands run\n", c.Sessions.Opened, c.Sessions.Peak, c.Commands)
	b.WriteString(artifactTable(t.Artifacts))
	fmt.Fprintf(&b, "\nThree things to try:\n  1. pipeline demo --keep              the same, and then the dashboard to look at\n  2. pipeline init --sim my-edrpipe    a directory of your own, with a first rule\n  3. examples/rules                    change a rule that acted, run the demo again\n")
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
