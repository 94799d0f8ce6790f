// Command pipeline is edrpipe: it watches an EDR's events and acts on the
// affected endpoints. Each subcommand is one file of this package, which only
// parses, wires and prints.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"

	"edrpipe/internal/printable"
)

// Exit statuses, a contract with scripts.
const (
	exitOK          = 0
	exitFailure     = 1   // what was asked did not succeed, or a check found errors
	exitUsage       = 2   // the command line is wrong
	exitInterrupted = 130 // stopped by a signal
)

func main() {
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00" // whole seconds do not tell what came first
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	out := &checkedOutput{file: os.Stdout}
	status := run(ctx, os.Args[1:], os.Stdin, out, os.Stderr)
	if out.err != nil && status == exitOK {
		status = report(ctx, os.Stderr, out.err)
	}
	stop()
	os.Exit(status)
}

// run is main without the process: the tests' way in.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	out, errs := newOutput(stdout), newOutput(stderr)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if e := errors.Join(out.Flush(), errs.Flush()); err == nil {
		err = e
	}
	return report(ctx, errs, err)
}

// report prints an error the way every command does and gives its exit status.
func report(ctx context.Context, stderr io.Writer, err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSilent):
		return exitFailure
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(stderr, "interrupted")
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "pipeline: %s\n", printable.Text(err.Error()))
		return exitUsage
	default:
		fmt.Fprintf(stderr, "pipeline: %s\n", printable.Text(err.Error()))
		return exitFailure
	}
}

// errSilent ends a command with exitFailure after it has printed what is wrong.
var errSilent = errors.New("failed")

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }
