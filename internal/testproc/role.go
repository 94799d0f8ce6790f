// Package testproc runs the service, a node of the bus or another role in a process of
// its own, which a test can kill, pause and restart. The process executes the test's
// own program again: its TestMain begins with Main.
package testproc

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/internal/natsd"
	"edrpipe/internal/service"
)

// roleVariable is the environment variable with the role of a child process and its
// argument, separated by a blank.
const roleVariable = "EDRPIPE_TEST_PROCESS"

// A Role is what a process does with its text until ctx ends, with SIGTERM.
type Role func(ctx context.Context, text string) error

// Main runs the role of a child process and exits; in the test's own process it
// returns at once. The roles of more are added to those of this package and replace
// roles of the same name.
func Main(more map[string]Role) {
	name, text, found := strings.Cut(os.Getenv(roleVariable), " ")
	if !found {
		return
	}
	role := more[name]
	if role == nil {
		role = map[string]Role{serviceRole: Serve, busRole: runBus}[name]
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := role(ctx, text)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Command is the test's own program, to be started in a role.
func Command(role, text string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+role+" "+text)
	return cmd
}

// The roles of this package.
const (
	serviceRole = "service" // its text is a configuration file
	busRole     = "bus"     // its text is a natsd.Config as JSON
)

// Serve is what `pipeline run` does with a configuration file; it prints where the
// service answers.
func Serve(ctx context.Context, file string) error {
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

func runBus(ctx context.Context, text string) error {
	c := natsd.Config{Log: zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	s, err := natsd.Start(c)
	if err != nil {
		return err
	}
	fmt.Println(s.URL())
	<-ctx.Done()
	return s.Close()
}
