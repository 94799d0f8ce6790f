package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	var url, file, tokenFile string
	var form outputFlag
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running service whether it is ready; for container health checks",
		Long: `Asks the service that the configuration describes, on this machine, whether it is
ready. The exit status is 0 when it is and 1 when it is not or nobody answers.`,
		Example: "  pipeline health\n  pipeline health -o json | jq '.checks[] | select(.state != \"ok\")'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := form.check(); err != nil {
				return err
			}
			c, err := apiclient.Search{URL: url, TokenFile: tokenFile, ConfigFile: file, Environ: os.Environ()}.Find()
			if err != nil {
				return err
			}
			client := c.HTTP
			if client == nil {
				client = http.DefaultClient
			}
			return askHealth(cmd, client, c.Server, c.Token, form)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", os.Getenv("EDRPIPE_CONFIG"), "configuration file (default pipeline.yaml, if there is one)")
	form.register(cmd)
	cmd.Flags().StringVar(&url, "url", "", "address of the service (also $EDRPIPE_URL; default: as the configuration says)")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "file with your token (the token itself also as $EDRPIPE_TOKEN; default: admin.token of the service's directory, if it can be read)")
	return cmd
}

func askHealth(cmd *cobra.Command, client *http.Client, url, token string, form outputFlag) error {
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
	w := cmd.OutOrStdout()
	if err := form.print(w, answer, func() { printHealth(w, answer, token) }); err != nil {
		return err
	}
	if !answer.Ready {
		return errSilent
	}
	return nil
}

func printHealth(w io.Writer, answer web.Readiness, token string) {
	for _, c := range answer.Checks {
		fmt.Fprintln(w, healthLine(c))
	}
	if token != "" && answer.User == "" {
		fmt.Fprintln(w, "the token is not known to the service, so the checks have no reasons: it was mistyped, replaced, or its user was removed\n          → pipeline users add NAME, by an admin")
	}
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
