package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/web"
)

func newHealthCommand() *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running service whether it is ready; for container health checks",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
			if err != nil {
				return &usageError{err}
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return fmt.Errorf("no service answers at %s: %w", url, err)
			}
			defer func() { _ = res.Body.Close() }() // only read from
			var answer struct {
				Ready  bool
				Checks []web.Check
			}
			if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
				return fmt.Errorf("what answers at %s is not edrpipe: %w", url, err)
			}
			for _, c := range answer.Checks {
				state := "works"
				if !c.OK {
					state = "does not work"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s %s %s\n", c.Name, state, c.Text)
			}
			if !answer.Ready {
				return errSilent
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&url, "url", "http://127.0.0.1:7480", "where the service answers")
	return cmd
}
