package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"edrpipe/internal/service"
)

// startWithin bounds how long the service waits for a bus that is not there yet.
const startWithin = 5 * time.Minute

func newRunCommand() *cobra.Command {
	var f configFlags
	cmd := &cobra.Command{
		Use:     "run",
		Example: `  pipeline run --config pipeline.yaml`,
		Short:   "Run the service: take events, match rules, act on endpoints",
		Long: `Run the service until SIGTERM or SIGINT. Then it stops taking events, lets
running steps end within the grace, closes the sessions it opened and exits.
SIGHUP reads rules and guards again; changed rule files are also seen by themselves.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := f.load()
			if err != nil {
				return err
			}
			log, err := newLogger(cmd.ErrOrStderr(), cfg.Log)
			if err != nil {
				return err
			}
			opening, cancel := context.WithTimeout(cmd.Context(), startWithin)
			s, err := service.Open(opening, cfg, version, log)
			cancel()
			if err != nil {
				return err
			}
			log.Info().Str("web", s.URL()).Str("edr", cfg.Title()).Msg("edrpipe is running")
			err = runService(cmd.Context(), s, log)
			log.Info().Err(err).Msg("edrpipe has stopped")
			return errors.Join(err, s.Close())
		},
	}
	f.register(cmd)
	return cmd
}

// runService runs s until ctx ends, reading rules and guards again at SIGHUP.
func runService(ctx context.Context, s *service.Service, log zerolog.Logger) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.Run(ctx) })
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-hup:
				if err := s.Reload(); err != nil {
					log.Error().Err(err).Msg("reload; what was in force stays")
				}
			}
		}
	})
	return g.Wait()
}
