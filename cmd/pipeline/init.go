package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/config"
	"edrpipe/internal/doctor"
	"edrpipe/internal/setup"
)

// simListen is where `init --sim` expects the simulator.
const simListen = "127.0.0.1:7443"

// initFlags are the answers that init is given on the command line.
type initFlags struct {
	sim, systemd, compose, live                bool
	url, name, tokenFile, ca, pin              string
	bus, busUser, busPasswordFile, busCA       string
	amqp, amqpPasswordFile, amqpCA, listenAddr string
}

func newInitCommand() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Write the directory of a new deployment, check it, and say what to do next",
		Long: `Writes into DIR: a commented pipeline.yaml, a first rule with tests, guards, and
secrets in files that only you can read. Nothing that is there is changed. On a
terminal it asks for what no flag says. With --sim everything is set for a try-out
on a simulated EDR server; without it the service begins with dry_run: it decides
and records, and acts on nothing, until you change that (or give --live).`,
		Example: `  pipeline init --sim my-edrpipe
  pipeline init --edr-url https://edr.example.com --edr-token-file api.token /etc/edrpipe`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.sim, "sim", false, "for a try-out with `pipeline sim`")
	fl.StringVar(&f.url, "edr-url", "", "EDR server, https://host")
	fl.StringVar(&f.name, "edr-name", "", "name of the server in records (default: its host name up to the first dot)")
	fl.StringVar(&f.tokenFile, "edr-token-file", "", "file with the API token; it is copied (instead of $EDRPIPE_EDR_TOKEN)")
	fl.StringVar(&f.ca, "edr-ca", "", "file with the authority of the server's certificate; it is copied")
	fl.StringVar(&f.pin, "edr-pin", "", "SHA-256 of the server's certificate, instead of an authority")
	fl.StringVar(&f.bus, "bus", "", "external NATS, nats://host:4222 (default: embedded)")
	fl.StringVar(&f.busUser, "bus-user", "", "user at the bus")
	fl.StringVar(&f.busPasswordFile, "bus-password-file", "", "file with the user's password; it is copied")
	fl.StringVar(&f.busCA, "bus-ca", "", "certificates to trust at the bus; copied")
	fl.StringVar(&f.amqp, "amqp", "", "the EDR server's RabbitMQ, amqp://cb@host:5004/")
	fl.StringVar(&f.amqpPasswordFile, "amqp-password-file", "", "file with its password; it is copied")
	fl.StringVar(&f.amqpCA, "amqp-ca", "", "certificates to trust at RabbitMQ; copied")
	fl.StringVar(&f.listenAddr, "listen", "127.0.0.1:7480", "address of dashboard and API")
	fl.BoolVar(&f.live, "live", false, "act from the start: no dry_run")
	fl.BoolVar(&f.systemd, "systemd", false, "also write a systemd unit")
	fl.BoolVar(&f.compose, "compose", false, "also write a compose file")
	cmd.MarkFlagsMutuallyExclusive("sim", "edr-url")
	return cmd
}

func (f *initFlags) run(cmd *cobra.Command, dir string) error {
	if f.url == "" && !f.sim {
		if !isTerminal(cmd.InOrStdin()) {
			return &usageError{errors.New("which EDR server? Give --edr-url and --edr-token-file, or --sim for a try-out without one")}
		}
		if err := f.ask(cmd.InOrStdin(), cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	p, err := f.plan(dir)
	if err != nil {
		return err
	}
	names, err := p.Write()
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	for _, n := range names {
		fmt.Fprintln(out, "wrote", filepath.Join(dir, n))
	}
	if err := checkSite(cmd.Context(), dir); err != nil {
		return fmt.Errorf("what was written does not work: %w", err)
	}
	f.sayNext(out, dir)
	return nil
}

// plan reads the files that the flags name.
func (f *initFlags) plan(dir string) (setup.Plan, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return setup.Plan{}, err
	}
	binary, err := os.Executable()
	if err != nil {
		return setup.Plan{}, err
	}
	p := setup.Plan{
		Dir: absolute, Listen: f.listenAddr, Systemd: f.systemd, Compose: f.compose, Binary: binary, UID: os.Getuid(), GID: os.Getgid(),
		DryRun: !f.live && !f.sim,
		EDR:    setup.Server{Name: f.name, URL: f.url, Pin: f.pin}, Bus: setup.Bus{URL: f.bus, User: f.busUser}, AMQP: setup.AMQP{URL: f.amqp},
	}
	if u, err := user.Current(); err == nil {
		p.User = u.Username
	}
	if f.sim {
		p.EDR.URL, p.EDR.Name = "http://"+simListen, firstOf(f.name, "sim")
	} else if p.EDR.Token, err = (&edrFlags{tokenFile: f.tokenFile}).token(); err != nil {
		return p, err
	}
	if u, err := url.Parse(p.EDR.URL); p.EDR.Name == "" && err == nil {
		p.EDR.Name, _, _ = strings.Cut(u.Hostname(), ".")
	}
	for _, s := range []struct {
		flag, name string
		into       *string
	}{{"bus-password-file", f.busPasswordFile, &p.Bus.Password}, {"amqp-password-file", f.amqpPasswordFile, &p.AMQP.Password}} {
		if *s.into, err = secretFile(s.name, "--"+s.flag); err != nil {
			return p, err
		}
	}
	for _, s := range []struct {
		name string
		into *[]byte
	}{{f.ca, &p.EDR.CA}, {f.busCA, &p.Bus.CA}, {f.amqpCA, &p.AMQP.CA}} {
		if s.name == "" {
			continue
		}
		if *s.into, err = os.ReadFile(s.name); err != nil {
			return p, fmt.Errorf("authority: %w", err)
		}
	}
	return p, nil
}

// checkSite checks what was written as `pipeline doctor` does.
func checkSite(ctx context.Context, dir string) error {
	cfg, _, err := config.Load(filepath.Join(dir, config.DefaultFile), nil, nil)
	if err != nil {
		return err
	}
	var bad []error
	d := doctor.Doctor{Config: cfg, Dir: dir, Now: time.Now}
	d.Files(ctx, func(x doctor.Finding) {
		if x.State == doctor.Failed {
			bad = append(bad, fmt.Errorf("%s: %s", x.Check, x.Text))
		}
	})
	return errors.Join(bad...)
}

func (f *initFlags) sayNext(w io.Writer, dir string) {
	fmt.Fprintf(w, "\nConfiguration, rule and guards are in order. Next:\n\n  cd %s\n", dir)
	if f.sim {
		fmt.Fprintf(w, "  pipeline sim --listen %s --token-file secrets/edr.token --sensors 7 --check-in 2s   # in a terminal of its own\n", simListen)
	}
	fmt.Fprint(w, "  pipeline doctor   # tries the connections, and says what to do about each that fails\n  pipeline run\n")
	if !f.sim && !f.live {
		fmt.Fprint(w, "\nThe service begins with dry_run: it acts on nothing until you change that in pipeline.yaml.\n")
	}
}
