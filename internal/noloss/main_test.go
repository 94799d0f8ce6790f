package noloss

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
	"edrpipe/internal/service"
)

// childVariable names the configuration of the service that this process is to be.
const childVariable = "EDRPIPE_NOLOSS_CHILD"

func TestMain(m *testing.M) {
	if file := os.Getenv(childVariable); file != "" {
		if err := serve(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// serve is what `pipeline run` does, until it is killed or SIGTERM ends it.
func serve(file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
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
