package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/demo"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/events/jetstream"
)

func newDemoPlayCommand() *cobra.Command {
	var f busFlags
	cmd := &cobra.Command{
		Use:   "play",
		Short: "Publish the demo's intrusion on a bus, for a service that runs elsewhere",
		Long: `Publishes the scripted intrusion of "pipeline demo" on a bus, beat by beat. The
service that reads it needs an EDR server with the demo's endpoints: run one with
"pipeline sim --demo".`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := f.connect(cmd.Context(), commandLog(cmd))
			if err != nil {
				return err
			}
			defer b.Close()
			return playDemo(cmd.Context(), b, cmd.OutOrStdout())
		},
	}
	f.register(cmd)
	return cmd
}

// playDemo publishes each beat of the story at its time.
func playDemo(ctx context.Context, b *bus.Bus, out io.Writer) error {
	start := time.Now()
	for _, beat := range demo.Story(start) {
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
