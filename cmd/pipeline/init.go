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
	servers                                    []string // NAME=URL,KEY=VALUE…
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
  pipeline init --edr-url https://edr.example.com --edr-token-file api.token /etc/edrpipe
  pipeline init --edr hq=https://edr.example.com,token_file=hq.token \
    --edr cloud=https://defense.conferdeploy.net,kind=carbonblack-cloud,org_key=A1B2C3D4,token_file=cbc.token /etc/edrpipe`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.sim, "sim", false, "for a try-out with `pipeline sim`")
	fl.StringArrayVar(&f.servers, "edr", nil, "an EDR server, `NAME=URL,token_file=FILE`, once for each of several; further keys, with commas: "+strings.Join(serverKeys, ", "))
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
	cmd.MarkFlagsMutuallyExclusive("sim", "edr-url", "edr")
	for _, one := range []string{"edr-name", "edr-token-file", "edr-ca", "edr-pin", "amqp", "amqp-password-file", "amqp-ca"} {
		cmd.MarkFlagsMutuallyExclusive("edr", one)
	}
	return cmd
}

func (f *initFlags) run(cmd *cobra.Command, dir string) error {
	if f.url == "" && !f.sim && len(f.servers) == 0 {
		if !isTerminal(cmd.InOrStdin()) {
			return &usageError{errors.New("which EDR server? Give --edr-url and --edr-token-file, --edr for each of several, or --sim for a try-out without one")}
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
		DryRun: !f.live && !f.sim, Bus: setup.Bus{URL: f.bus, User: f.busUser},
	}
	if u, err := user.Current(); err == nil {
		p.User = u.Username
	}
	if p.Bus.Password, err = secretFile(f.busPasswordFile, "--bus-password-file"); err != nil {
		return p, err
	}
	if err := readAuthority(f.busCA, &p.Bus.CA); err != nil {
		return p, err
	}
	p.EDR, err = f.edr()
	return p, err
}

// edr are the servers that the flags name.
func (f *initFlags) edr() (all []setup.Server, err error) {
	for _, text := range f.servers {
		s, err := parseServer(text)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if len(all) > 0 {
		return all, nil
	}
	s := setup.Server{Name: f.name, URL: f.url, Pin: f.pin, AMQP: setup.AMQP{URL: f.amqp}}
	if f.sim {
		s.URL, s.Name = "http://"+simListen, firstOf(f.name, "sim")
	} else if s.Token, err = (&edrFlags{tokenFile: f.tokenFile}).token(); err != nil {
		return nil, err
	}
	if u, err := url.Parse(s.URL); s.Name == "" && err == nil {
		s.Name, _, _ = strings.Cut(u.Hostname(), ".")
	}
	if s.AMQP.Password, err = secretFile(f.amqpPasswordFile, "--amqp-password-file"); err != nil {
		return nil, err
	}
	err = errors.Join(readAuthority(f.ca, &s.CA), readAuthority(f.amqpCA, &s.AMQP.CA))
	return []setup.Server{s}, err
}

// readAuthority reads the certificates of a file; without a name there are none.
func readAuthority(name string, into *[]byte) (err error) {
	if name == "" {
		return nil
	}
	if *into, err = os.ReadFile(name); err != nil {
		return fmt.Errorf("authority: %w", err)
	}
	return nil
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
