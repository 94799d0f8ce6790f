package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"edrpipe/internal/config"
	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
)

// newStateCommand holds the commands for backup and restore; each is a file of its
// own.
func newStateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Back up and restore what the service knows: jobs, controls, audit, results",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStateExportCommand(), newStateImportCommand(), newStateVerifyCommand(), newQuarantineCommand())
	return cmd
}

// openState opens the bus that the configuration names. An embedded one belongs to
// the service while that runs, so then it is refused. Close gives it back.
func openState(ctx context.Context, cmd *cobra.Command, f configFlags) (b *bus.Bus, closeBus func() error, err error) {
	cfg, _, err := f.load()
	if err != nil {
		return nil, nil, err
	}
	c, err := stateBus(cfg)
	if err != nil {
		return nil, nil, err
	}
	c.Log = commandLog(cmd)
	embedded := func() error { return nil }
	if c.URL == "" {
		ns, err := natsd.Start(natsd.Config{Dir: filepath.Join(cfg.Data, "bus"), Sync: cfg.Bus.Sync, Log: c.Log})
		if errors.Is(err, natsd.ErrLocked) {
			return nil, nil, errors.Join(err, errors.New("stop the service first: its bus is embedded in it"))
		}
		if err != nil {
			return nil, nil, err
		}
		c.InProcess, embedded = ns, ns.Close
	}
	if b, err = bus.Connect(ctx, c); err != nil {
		return nil, nil, errors.Join(err, embedded())
	}
	return b, func() error { b.Close(); return embedded() }, nil
}

func stateBus(cfg config.Config) (bus.Config, error) {
	c := cfg.Bus
	password, err := secretFile(c.Password, "bus password")
	return bus.Config{
		URL: c.URL, User: c.User, Password: password, Creds: c.Creds, NKey: c.NKey, CA: c.CA, Cert: c.Cert, Key: c.Key, Replicas: c.Replicas,
		Limits: bus.Limits{
			EventsAge: c.Events.Age, EventsBytes: c.Events.Bytes, DeadAge: c.Dead.Age, DeadBytes: c.Dead.Bytes,
			ResultsAge: c.Results.Age, ResultsBytes: c.Results.Bytes, JobsAge: c.History.Age, JobsBytes: c.History.Bytes,
		},
	}, err
}
