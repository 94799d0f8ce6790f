package lrshell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/reeflective/readline"

	"edrpipe/internal/printable"
	"edrpipe/pkg/lr"
)

// Interactive reads commands at a prompt until exit, the end of input, or a
// signal to terminate. history is a file; empty keeps none.
func (s *Shell) Interactive(ctx context.Context, history string) error {
	if err := s.locate(ctx); err != nil {
		return err
	}
	// An interrupt ends the command that runs, not the shell.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	idle := s.keepAlive(ctx)
	defer idle.stop()
	rl := readline.NewShell()
	// Tab shows what there is, it does not pick the first process to kill; and names
	// on Windows have no case.
	// The upper half of Latin-1 is letters, not keys pressed together with Meta.
	for option, value := range map[string]bool{
		"menu-complete-display-prefix": true, "completion-ignore-case": true,
		"convert-meta": false, "input-meta": true, "output-meta": true,
	} {
		if err := rl.Config.Set(option, value); err != nil {
			return err
		}
	}
	if history != "" {
		rl.History.AddFromFile("lr", history)
	}
	rl.Prompt.Primary(func() string { return printable.Line(s.Sensor.Hostname+" "+s.cwd) + "> " })
	rl.Completer = func(line []rune, cursor int) readline.Completions { return s.complete(ctx, line, cursor) }
	for ctx.Err() == nil {
		line, err := rl.Readline()
		switch {
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		idle.touch()
		err = s.line(ctx, line)
		idle.touch()
		if errors.Is(err, errExit) {
			return nil
		}
		if err != nil {
			fmt.Fprintln(s.Err, printable.Text(err.Error()))
		}
	}
	return nil
}

// line runs one line; an interrupt cancels it.
func (s *Shell) line(ctx context.Context, line string) error {
	if strings.TrimSpace(line) == "" {
		return nil
	}
	words, err := parse(line)
	if errors.Is(err, errOpenQuote) {
		words, err = parse(line + `"`) // completion leaves it open below a directory
	}
	if err != nil {
		return err
	}
	running, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	err = s.Run(running, words)
	var e *lr.Error
	if running.Err() != nil && errors.As(err, &e) && e.Command != nil {
		return fmt.Errorf("interrupted; command %d of session %s goes on at the endpoint", *e.Command, e.Session)
	}
	return err
}

// Script runs commands, one a line, until one fails.
func (s *Shell) Script(ctx context.Context, lines []string) error {
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "#") || strings.TrimSpace(line) == "" {
			continue
		}
		words, err := parse(line)
		if err == nil {
			err = s.Run(ctx, words)
		}
		if errors.Is(err, errExit) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return nil
}
