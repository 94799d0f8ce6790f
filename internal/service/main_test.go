package service

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"edrpipe/internal/config"
)

// The test binary is also the service that tests kill: see child_test.go.
const childEnv = "EDRPIPE_TEST_SERVICE"

func TestMain(m *testing.M) {
	if file := os.Getenv(childEnv); file != "" {
		if err := serve(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// A block of nats-server's store that is written while its store closes can get a
	// flusher that nobody stops (2.15.2, seen once under load, with nothing else left).
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*msgBlock).flushLoop"))
}

// serve runs the service of a configuration file until SIGTERM.
func serve(file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, _, err := config.Load(file, nil, nil)
	if err != nil {
		return err
	}
	s, err := Open(ctx, cfg, "test", zerolog.New(os.Stderr).Level(zerolog.WarnLevel))
	if err != nil {
		return err
	}
	fmt.Println(s.URL())
	if err := s.Run(ctx); err != nil {
		return err
	}
	return s.Close()
}
