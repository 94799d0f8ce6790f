package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/demo"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events/jetstream"
)

func newDemoPlayCommand() *cobra.Command {
	var f busFlags
	var e edrFlags
	cmd := &cobra.Command{
		Use:     "play",
		Example: `  pipeline demo play --nats nats://bus:4222`,
		Short:   "Publish the demo's intrusion on a bus, for a service that runs elsewhere",
		Long: `Publishes the scripted intrusion of "pipeline demo" on a bus, beat by beat. The
service that reads it needs an EDR server with the demo's endpoints: run one with
"pipeline sim --demo". It is asked for the process that the first event is about.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, err := e.client()
			if err != nil {
				return err
			}
			b, err := f.connect(cmd.Context(), commandLog(cmd))
			if err != nil {
				return err
			}
			defer b.Close()
			shell, err := shellOf(cmd.Context(), server)
			if err != nil {
				return err
			}
			return playDemo(cmd.Context(), b, shell, cmd.OutOrStdout())
		},
	}
	f.register(cmd)
	e.register(cmd)
	return cmd
}

// shellOf asks the endpoint for the GUID of the process that the story begins with:
// whoever kills it compares that.
func shellOf(ctx context.Context, server edr.Server) (guid string, err error) {
	s, err := server.Open(ctx, strconv.Itoa(demo.Ann))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	if err := s.Await(ctx); err != nil {
		return "", err
	}
	list, err := edr.As[edr.Processes](s)
	if err != nil {
		return "", err
	}
	running, err := list.Processes(ctx)
	if err != nil {
		return "", err
	}
	for _, p := range running {
		if p.PID == demo.ShellPID {
			return p.GUID, nil
		}
	}
	return "", fmt.Errorf("process %d does not run on sensor %d: is this the demo's fleet?", demo.ShellPID, demo.Ann)
}

// playDemo publishes each beat of the story at its time.
func playDemo(ctx context.Context, b *bus.Bus, shell string, out io.Writer) error {
	start := time.Now()
	for _, beat := range demo.Story(start, shell) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(start.Add(beat.After))):
		}
		fmt.Fprintln(out, beat.Caption)
		if _, err := b.JetStream().PublishMsg(ctx, jetstream.Encode(jetstream.Prefix, beat.Message)); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	return nil
}
