package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/health"
	"edrpipe/internal/web"
)

// healthWithin bounds the question and its answer.
const healthWithin = 5 * time.Second

func newHealthCommand() *cobra.Command {
	var url, file string
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running service whether it is ready; for container health checks",
		Long: `Asks the service that the configuration describes, on this machine, whether it is
ready. The exit status is 0 when it is and 1 when it is not or nobody answers.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := apiclient.Search{URL: url, ConfigFile: file, Environ: os.Environ()}.Find()
			if err != nil {
				return err
			}
			client := c.HTTP
			if client == nil {
				client = http.DefaultClient
			}
			return askHealth(cmd, client, c.Server, c.Token)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", os.Getenv("EDRPIPE_CONFIG"), "configuration file (default pipeline.yaml, if there is one)")
	cmd.Flags().StringVar(&url, "url", "", "address of the service (also $EDRPIPE_URL; default: as the configuration says)")
	return cmd
}

func askHealth(cmd *cobra.Command, client *http.Client, url, token string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), healthWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/readyz", nil)
	if err != nil {
		return &usageError{err}
	}
	if token != "" { // without one the answer has no reasons
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no service answers at %s: %w", url, err)
	}
	defer func() { _ = res.Body.Close() }() // only read from
	var answer web.Readiness
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("what answers at %s is not edrpipe: %w", url, err)
	}
	for _, c := range answer.Checks {
		fmt.Fprintln(cmd.OutOrStdout(), healthLine(c))
	}
	if !answer.Ready {
		return errSilent
	}
	return nil
}

// healthLine is one check as people read it.
func healthLine(c health.Check) string {
	line := fmt.Sprintf("%-9s %s", c.State, c.Name)
	if c.State != health.OK && !c.Since.IsZero() {
		line += " since " + c.Since.Local().Format(time.DateTime)
	}
	if c.Evidence != "" {
		line += ": " + c.Evidence
	}
	if c.Cure != "" {
		line += "\n          → " + c.Cure
	}
	return line
}
