package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
)

// serverFlags lets a command call a running service, and print in the form that
// was asked for.
type serverFlags struct {
	config, url, tokenFile string
	outputFlag
}

// register adds the flags to a command and those below it.
func (f *serverFlags) register(cmd *cobra.Command) *cobra.Command {
	p := cmd.PersistentFlags()
	p.StringVarP(&f.config, "config", "c", os.Getenv("EDRPIPE_CONFIG"), "configuration file that says where the service is (default pipeline.yaml, if there is one)")
	p.StringVar(&f.url, "url", "", "address of the service (also $EDRPIPE_URL; default: as the configuration says)")
	p.StringVar(&f.tokenFile, "token-file", "", "file with your token (the token itself also as $EDRPIPE_TOKEN; default: admin.token of the service's directory, if it can be read)")
	f.outputFlag.register(cmd)
	return cmd
}

// client returns a client of the service that flags, environment and configuration
// name.
func (f *serverFlags) client() (*apiclient.Client, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return apiclient.Search{URL: f.url, TokenFile: f.tokenFile, ConfigFile: f.config, Environ: os.Environ()}.Find()
}

// run makes a command's body that needs the client.
func (f *serverFlags) run(do func(cmd *cobra.Command, c *apiclient.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := f.client()
		if err != nil {
			return err
		}
		return do(cmd, c, args)
	}
}

// clock writes a time for a table.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
