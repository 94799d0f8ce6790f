package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"edrpipe/internal/demo"
	"edrpipe/pkg/edrsim"
)

// simFlags are the flags of sim that are not a field of its configuration.
type simFlags struct {
	listen            string
	tls               bool
	certFile, keyFile string
	tokenFile, fleet  string
	quirks, faults    []string
	demo              bool
	forward           string
}

func newSimCommand() *cobra.Command {
	var cfg edrsim.Config
	var flags simFlags
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run a simulated Carbon Black EDR server, or Carbon Black Cloud, with a fleet of fake endpoints",
		Long: `Run a simulated Carbon Black EDR server, or Carbon Black Cloud, with a fleet of
fake endpoints.

--kind carbonblack-edr (the default) speaks the REST API of versions 5.1 to 7.x: sensors, isolation, Live Response
sessions with all commands, file transfer, archive, and hash banning. Sensor 1 is
an online Windows workstation. --kind carbonblack-cloud speaks the API of one
organisation of Carbon Black Cloud: devices, quarantine, Live Response v6,
reputation overrides, alerts and their workflow; it begins with an alert of each
type, and --forward writes alerts as the Data Forwarder does. What happened can be read, and power, faults and
clock be changed, under /_sim/.

` + simNames(),
		Example: `  pipeline sim
  pipeline sim --tls --sensors 500 --version 7.7
  pipeline sim --kind carbonblack-cloud --tls --token SECRET/ID --org-key A1B2C3D4 --sensors 20 --check-in 2s
  pipeline sim --time-scale 20 --quirk duplicate-session=existing --fault 502=0.1 --fault lost-answer=0.05`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.fill(&cfg); err != nil {
				return &usageError{err}
			}
			return runSim(cmd, cfg, flags)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Kind, "kind", edrsim.KindEDR, "kind of server: "+strings.Join(edrsim.Kinds, ", "))
	f.StringVar(&cfg.OrgKey, "org-key", "", "organisation of a carbonblack-cloud (default: A1B2C3D4)")
	f.StringVar(&flags.forward, "forward", "", "directory for the files of a carbonblack-cloud's Data Forwarder")
	f.StringVar(&flags.listen, "listen", "127.0.0.1:7443", "address to listen on")
	f.BoolVar(&flags.tls, "tls", false, "serve https only, with a self-signed certificate unless one is given (default: http and https on the same port)")
	f.StringVar(&flags.certFile, "tls-cert", "", "certificate file (PEM) for --tls")
	f.StringVar(&flags.keyFile, "tls-key", "", "key file (PEM) for --tls")
	f.StringVar(&cfg.Token, "token", "", "API token (default: $EDRPIPE_SIM_TOKEN, or a random one that is printed)")
	f.StringVar(&flags.tokenFile, "token-file", "", "file that holds the API token")
	f.StringVar(&cfg.Username, "username", "admin", "user that the token belongs to")
	f.StringVar(&flags.fleet, "fleet", "", "fleet description (YAML)")
	f.IntVar(&cfg.Sensors, "sensors", 1, "number of sensors, when there is no fleet description")
	f.StringVar(&cfg.Version, "version", "6.2", "server version: "+strings.Join(edrsim.Versions, ", "))
	f.DurationVar(&cfg.CheckIn, "check-in", 0, "interval of check-ins (default: by the size of the fleet, at least 30s)")
	f.IntVar(&cfg.Slots, "slots", 0, "sessions that may be open at once (default: 10, or 100 for a carbonblack-cloud)")
	f.Float64Var(&cfg.TimeScale, "time-scale", 1, "how many times faster than real its clock runs")
	f.Uint64Var(&cfg.Seed, "seed", 1, "seed of faults, jitter and latencies")
	f.StringArrayVar(&flags.quirks, "quirk", nil, "a server behaviour, as name=value (repeatable)")
	f.StringArrayVar(&flags.faults, "fault", nil, "a failure, as name=rate, from 0 to 1 (repeatable)")
	f.BoolVar(&flags.demo, "demo", false, fmt.Sprintf("the endpoints of \"pipeline demo\", for \"pipeline demo play\"; its clock runs %d times faster", demo.Scale))
	cmd.MarkFlagsMutuallyExclusive("sensors", "fleet", "demo")
	cmd.MarkFlagsMutuallyExclusive("time-scale", "demo")
	cmd.MarkFlagsMutuallyExclusive("token", "token-file")
	return cmd
}

// simNames lists what --fault and --quirk take.
func simNames() string {
	var b strings.Builder
	b.WriteString("Faults (docs/simulator.md says what each does):")
	for _, f := range edrsim.AllFaults() {
		b.WriteString(" " + f.Name)
	}
	writeQuirks(&b, "\n\nQuirks of a carbonblack-edr, the default of most versions first:\n", edrsim.AllQuirks())
	writeQuirks(&b, "\nQuirks of a carbonblack-cloud, the default first:\n", edrsim.CloudQuirks())
	return strings.TrimRight(b.String(), "\n")
}

func writeQuirks(b *strings.Builder, title string, quirks []edrsim.Quirk) {
	b.WriteString(title)
	for _, q := range quirks {
		fmt.Fprintf(b, "  %-20s %s\n", q.Name, strings.Join(q.Values, ", "))
	}
}

// fill completes the configuration from the other flags and checks it.
func (f *simFlags) fill(cfg *edrsim.Config) error {
	cfg.Quirks, cfg.Faults = edrsim.Quirks{}, edrsim.Faults{}
	for _, q := range f.quirks {
		name, value, ok := strings.Cut(q, "=")
		if !ok {
			return fmt.Errorf("--quirk %s: want name=value", q)
		}
		cfg.Quirks[name] = value
		if err := (edrsim.Config{Kind: cfg.Kind, Quirks: cfg.Quirks}).Validate(); err != nil {
			return fmt.Errorf("--quirk: %w", err)
		}
	}
	for _, x := range f.faults {
		name, value, _ := strings.Cut(x, "=")
		rate, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("--fault %s: want name=rate, a rate from 0 to 1", x)
		}
		if err := cfg.Faults.Set(name, rate); err != nil {
			return fmt.Errorf("--fault: %w", err)
		}
	}
	if (f.certFile == "") != (f.keyFile == "") {
		return errors.New("--tls-cert and --tls-key belong together")
	}
	if f.forward != "" {
		cfg.Forwarder = edrsim.ForwarderDir(f.forward)
	}
	if f.demo {
		cfg.Fleet, cfg.TimeScale = demo.Fleet(), demo.Scale
	}
	if f.fleet != "" {
		fleet, err := edrsim.LoadFleet(f.fleet)
		if err != nil {
			return err
		}
		cfg.Fleet = fleet
	}
	if err := f.readToken(cfg); err != nil {
		return err
	}
	return cfg.Validate()
}

// readToken takes the token from its file or the environment.
func (f *simFlags) readToken(cfg *edrsim.Config) error {
	if f.tokenFile != "" {
		b, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
		if cfg.Token = strings.TrimSpace(string(b)); cfg.Token == "" {
			return fmt.Errorf("--token-file: %s is empty", f.tokenFile)
		}
	}
	if cfg.Token == "" {
		cfg.Token = os.Getenv("EDRPIPE_SIM_TOKEN")
	}
	return nil
}

// runSim serves until the command's context ends.
func runSim(cmd *cobra.Command, cfg edrsim.Config, flags simFlags) error {
	l, err := net.Listen("tcp", flags.listen)
	if err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	given := cfg.Token != ""
	sim := edrsim.New(cfg)
	defer sim.Close()
	out := cmd.OutOrStdout()
	cert, err := flags.certificate()
	if err != nil {
		l.Close()
		return err
	}
	url, also := "http://"+l.Addr().String(), " (and https)"
	if flags.tls || flags.certFile != "" {
		l = tls.NewListener(l, edrsim.TLSConfig(cert))
		url, also = "https://"+l.Addr().String(), ""
		fmt.Fprintf(out, "certificate  sha256 %s\n", edrsim.Fingerprint(cert))
	} else {
		l = edrsim.EitherListener(l, cert)
	}
	if cfg.Kind == edrsim.KindCloud {
		fmt.Fprintf(out, "simulated Carbon Black Cloud on %s%s\norg key      %s\n", url, also, sim.OrgKey())
	} else {
		fmt.Fprintf(out, "simulated EDR server %s on %s%s\n", cfg.Version, url, also)
	}
	if given {
		fmt.Fprintf(out, "token        as given (%d characters), in X-Auth-Token\n", len(sim.Token))
	} else {
		fmt.Fprintf(out, "token        %s\n", sim.Token)
	}
	fmt.Fprintf(out, "sensors      %s\n", sim.Describe())
	fmt.Fprintf(out, "counters     %s/_sim/counters\n", url)

	done := make(chan error, 1)
	go func() { done <- sim.Serve(l) }()
	select {
	case err = <-done:
	case <-cmd.Context().Done():
		sim.Close()
		err = <-done
	}
	if err == nil {
		fmt.Fprintln(out, "stopped")
	}
	return err
}

// certificate is the given one, or a fresh self-signed one.
func (f *simFlags) certificate() (tls.Certificate, error) {
	if f.certFile == "" {
		return edrsim.SelfSigned()
	}
	cert, err := tls.LoadX509KeyPair(f.certFile, f.keyFile)
	if err != nil {
		return cert, fmt.Errorf("--tls-cert: %w", err)
	}
	if _, err := x509.ParseCertificate(cert.Certificate[0]); err != nil {
		return cert, fmt.Errorf("--tls-cert: %w", err)
	}
	return cert, nil
}
