package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
)

const (
	defaultServer = "http://127.0.0.1:7480"
	defaultToken  = "edrpipe-data/admin.token"
)

// serverFlags lets a command call a running service, and print in the form that
// was asked for.
type serverFlags struct {
	server, tokenFile string
	outputFlag
}

// register adds the flags to a command and those below it.
func (f *serverFlags) register(cmd *cobra.Command) *cobra.Command {
	p := cmd.PersistentFlags()
	p.StringVar(&f.server, "server", "", "address of the service (also $EDRPIPE_SERVER; else "+defaultServer+")")
	p.StringVar(&f.tokenFile, "token-file", "", "file with your token (the token itself also as $EDRPIPE_TOKEN; else "+defaultToken+", when it can be read)")
	f.outputFlag.register(cmd)
	return cmd
}

// client makes the client that the flags and the environment ask for.
func (f *serverFlags) client() (*apiclient.Client, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	c := &apiclient.Client{Server: firstOf(f.server, os.Getenv("EDRPIPE_SERVER"), defaultServer), Token: os.Getenv("EDRPIPE_TOKEN")}
	switch {
	case f.tokenFile != "":
		b, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		c.Token = strings.TrimSpace(string(b))
	case c.Token == "":
		if b, err := os.ReadFile(filepath.FromSlash(defaultToken)); err == nil {
			c.Token = strings.TrimSpace(string(b))
		}
	}
	return c, nil
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
