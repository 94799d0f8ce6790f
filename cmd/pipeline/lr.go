package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"edrpipe/internal/lrshell"
	"edrpipe/internal/printable"
	"edrpipe/pkg/lr"
)

// lrFlags are the flags of `pipeline lr`.
type lrFlags struct {
	edr     edrFlags
	join    bool
	json    bool
	timeout time.Duration
}

func newLRCommand() *cobra.Command {
	var f lrFlags
	cmd := &cobra.Command{
		Use:   "lr [flags] SENSOR [COMMAND [ARG...]]",
		Short: "Work on one endpoint over Live Response: a shell, or one command",
		Long: `Lr opens a Live Response session on a sensor, named by its id or host name, and
runs one command or, without one, a shell. With "-" for COMMAND it runs the
commands on standard input, one a line, until one fails.

The session is closed at the end. If somebody else has one on the sensor, lr
refuses; --join uses that session and leaves it open.

Run "pipeline lr SENSOR help" for the commands.`,
		Example: `  pipeline lr WS-0042
  pipeline lr --json 42 ps | jq -r '.[].path'
  pipeline lr 42 get 'C:\Users\ann\evil.exe' ./evidence/
  pipeline lr 42 exec ipconfig /all`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sensor, words := args[0], args[1:]
			if len(words) > 0 && len(words[0]) > 1 && words[0][0] == '-' { // flags after SENSOR
				if err := cmd.Flags().Parse(words); err != nil {
					return &usageError{err}
				}
				words = cmd.Flags().Args()
			}
			return f.run(cmd, sensor, words)
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows SENSOR is the endpoint's
	f.edr.register(cmd)
	cmd.Flags().BoolVar(&f.join, "join", false, "use the session that somebody else has on the sensor, if any")
	cmd.Flags().BoolVar(&f.json, "json", false, "results as JSON")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "give up after so long; 0: never")
	return cmd
}

func (f *lrFlags) run(cmd *cobra.Command, name string, words []string) (err error) {
	// Neither a reader that has seen enough ("| head") nor a terminal that is gone
	// may end the process before it has freed the sensor's slot.
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
	defer stop()
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	if len(words) > 0 && words[0] == "help" {
		return (&lrshell.Shell{Out: cmd.OutOrStdout()}).Run(ctx, words)
	}
	client, err := f.edr.client()
	if err != nil {
		return err
	}
	defer client.CloseIdle()
	sensor, err := client.FindSensor(ctx, name)
	if err != nil {
		return err
	}
	s := &lrshell.Shell{
		Client: client, Sensor: sensor, Endpoint: client.Endpoint(sensor.ID),
		In: cmd.InOrStdin(), Out: cmd.OutOrStdout(), Data: forData(cmd.OutOrStdout()), Err: unfiltered(cmd.ErrOrStderr()), // it draws bars
		JSON: f.json, Progress: isTerminal(cmd.ErrOrStderr()),
	}
	if f.join {
		s.Endpoint = client.SharedEndpoint(sensor.ID)
	}
	defer func() { err = errors.Join(err, closeEndpoint(ctx, s.Endpoint)) }()
	if err = f.shell(ctx, s, words); errors.Is(err, syscall.EPIPE) {
		return errSilent
	}
	return err
}

// closeEndpoint frees the sensor's slot, also after an interrupt: left alone it
// would stay taken for minutes.
func closeEndpoint(ctx context.Context, e *lr.Endpoint) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return e.Close(ctx)
}

func (f *lrFlags) shell(ctx context.Context, s *lrshell.Shell, words []string) error {
	switch {
	case len(words) == 1 && words[0] == "-":
		b, err := io.ReadAll(s.In)
		if err != nil {
			return err
		}
		return asUsage(s.Script(ctx, strings.Split(string(b), "\n")))
	case len(words) > 0:
		return asUsage(s.Run(ctx, words))
	case !isTerminal(s.In) || !isTerminal(s.Out):
		return &usageError{errors.New("the shell needs a terminal: give a command, or - to read commands from standard input")}
	}
	if s.Progress {
		fmt.Fprintf(s.Err, "%s (sensor %s): waiting for it to check in\n", printable.Line(s.Sensor.Hostname), s.Sensor.ID)
	}
	return s.Interactive(ctx, historyFile())
}

// asUsage gives mistakes in a command their exit status.
func asUsage(err error) error {
	if errors.Is(err, lrshell.ErrUsage) {
		return &usageError{err}
	}
	return err
}

// historyFile is where the shell keeps its lines; empty if there is no place.
func historyFile() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir = filepath.Join(dir, "edrpipe")
	if os.MkdirAll(dir, 0o700) != nil {
		return ""
	}
	return filepath.Join(dir, "lr_history")
}

// isTerminal reports whether a stream is a person's terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}
