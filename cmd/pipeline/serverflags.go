package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/web"
)

const (
	defaultServer = "http://127.0.0.1:7480"
	defaultToken  = "edrpipe-data/admin.token"
)

// serverFlags lets a command call a running service, and print in the form that
// was asked for.
type serverFlags struct {
	server, tokenFile, output string
}

// register adds the flags to a command and those below it.
func (f *serverFlags) register(cmd *cobra.Command) *cobra.Command {
	p := cmd.PersistentFlags()
	p.StringVar(&f.server, "server", "", "address of the service (also $EDRPIPE_SERVER; else "+defaultServer+")")
	p.StringVar(&f.tokenFile, "token-file", "", "file with your token (the token itself also as $EDRPIPE_TOKEN; else "+defaultToken+", when it can be read)")
	p.StringVarP(&f.output, "output", "o", "table", "table, json or yaml")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
	return cmd
}

// client makes the client that the flags and the environment ask for.
func (f *serverFlags) client() (*apiclient.Client, error) {
	if err := checkFormat(f.output, "table", "json", "yaml"); err != nil {
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

// print writes v as JSON or YAML, or lets table write it for people.
func (f *serverFlags) print(w io.Writer, v any, table func()) error {
	switch f.output {
	case "json":
		return printJSON(w, v)
	case "yaml":
		var b strings.Builder
		if err := printJSON(&b, v); err != nil {
			return err
		}
		var plain any
		if err := yaml.Unmarshal([]byte(b.String()), &plain); err != nil { // JSON is YAML
			return err
		}
		e := yaml.NewEncoder(w)
		e.SetIndent(2)
		return e.Encode(plain)
	}
	table()
	return nil
}

// completeWithin bounds how long a shell waits for words.
const completeWithin = 2 * time.Second

// completeJobs offers the ids of jobs in the states, for shells.
func (f *serverFlags) completeJobs(states ...string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		c, err := f.client()
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
		defer cancel()
		var words []string
		for _, state := range states {
			var jobs []web.JobLine
			if c.Get(ctx, "jobs", url.Values{"state": {state}}, &jobs) != nil {
				break // a shell has no place for errors
			}
			for _, j := range jobs {
				if strings.HasPrefix(j.ID, begun) {
					words = append(words, fmt.Sprintf("%s\t%s %s on %s", j.ID, j.State, firstOf(j.Rule, "by "+j.By), firstOf(printable(j.Host), fmt.Sprint(j.Sensor))))
				}
			}
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeRules offers the names of the rules in force.
func (f *serverFlags) completeRules(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	c, err := f.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	var page web.RulesPage
	if c.Get(ctx, "rules", nil, &page) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp // a shell has no place for errors
	}
	var words []string
	for _, r := range page.Rules {
		if strings.HasPrefix(r.ID, begun) {
			words = append(words, r.ID+"\t"+r.Title)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// clock writes a time for a table.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
