// Package victim runs the service in a process of its own that a test may kill.
// The process is the test's own program, started again: its TestMain begins with
// Main.
package victim

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/internal/service"
)

// roleVariable tells a process what it is to be: a role and its text.
const roleVariable = "EDRPIPE_VICTIM"

var roles = map[string]func(ctx context.Context, text string) error{"service": runService}

// Main is a victim from its first to its last moment, where the process is to be
// one; else it does nothing.
func Main() {
	role, text, found := strings.Cut(os.Getenv(roleVariable), " ")
	if !found {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := roles[role](ctx, text)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// runService is what `pipeline run` does with a configuration file, until SIGTERM.
func runService(ctx context.Context, file string) error {
	cfg, _, err := config.Load(file, nil, nil)
	if err != nil {
		return err
	}
	s, err := service.Open(ctx, cfg, "test", zerolog.New(os.Stderr).Level(zerolog.WarnLevel))
	if err != nil {
		return err
	}
	fmt.Println(s.URL())
	if err := s.Run(ctx); err != nil {
		return err
	}
	return s.Close()
}
