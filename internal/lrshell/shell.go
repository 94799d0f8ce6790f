package lrshell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/pflag"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/lr"
)

// Shell runs commands on one endpoint. It is for one goroutine.
type Shell struct {
	Client   *lr.Client
	Sensor   edr.Sensor
	Endpoint *lr.Endpoint
	In       io.Reader
	Out      io.Writer
	Data     io.Writer // takes the bytes of files that are printed; nil: Out
	Err      io.Writer
	JSON     bool // results as JSON instead of tables
	Progress bool // Err is a terminal that can show progress bars

	cwd string
}

// ErrUsage is a command that was not understood.
var ErrUsage = errors.New("usage")

// errExit ends an interactive shell.
var errExit = errors.New("exit")

// Command is a command of the shell.
type Command struct {
	Name    string
	Args    string // for help: "REMOTE [LOCAL]"
	Summary string
	// Flags may be nil. Run may read what was set after registering them anew for
	// each run.
	Flags func(*pflag.FlagSet) any
	Min   int // arguments
	Max   int // -1: any number
	Raw   bool
	// Complete lists the kind of each argument; the last is that of all that follow.
	Complete []Kind
	Run      func(ctx context.Context, s *Shell, flags any, args []string) error
}

// Kind is a kind of argument that can be completed.
type Kind int

// Kinds of arguments.
const (
	Nothing Kind = iota
	RemotePath
	RemoteDir
	LocalPath
	PID
	CommandName
	RegistryVerb
)

// Run runs one command given as words.
func (s *Shell) Run(ctx context.Context, words []string) error {
	cmd, ok := lookup(words[0])
	if !ok {
		return fmt.Errorf("%w: there is no command %q; see help", ErrUsage, words[0])
	}
	flags := pflag.NewFlagSet(cmd.Name, pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.SetInterspersed(!cmd.Raw)
	asJSON := flags.Bool("json", false, "result as JSON")
	var set any
	if cmd.Flags != nil {
		set = cmd.Flags(flags)
	}
	if err := flags.Parse(words[1:]); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			s.explain(cmd)
			return nil
		}
		return fmt.Errorf("%w: %s: %w", ErrUsage, cmd.Name, err)
	}
	if n := flags.NArg(); n < cmd.Min || cmd.Max >= 0 && n > cmd.Max {
		return fmt.Errorf("%w: %s %s", ErrUsage, cmd.Name, cmd.Args)
	}
	before := s.JSON
	s.JSON = s.JSON || *asJSON
	defer func() { s.JSON = before }()
	return cmd.Run(ctx, s, set, flags.Args())
}

// show prints a result: v as JSON, or what human fills in.
func (s *Shell) show(v any, human func(t table.Writer)) error {
	if s.JSON {
		enc := json.NewEncoder(s.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	t := table.NewWriter()
	t.SetOutputMirror(s.Out)
	t.SetStyle(table.StyleLight)
	t.Style().Options.DrawBorder = false
	t.Style().Options.SeparateColumns = false
	t.SuppressTrailingSpaces()
	human(t)
	t.Render()
	return nil
}

// say prints the text for a person, or v in JSON.
func (s *Shell) say(v any, format string, args ...any) error {
	if s.JSON {
		return s.show(v, nil)
	}
	_, err := fmt.Fprintf(s.Out, format+"\n", args...)
	return err
}
