package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"edrpipe/examples"
	"edrpipe/internal/config"
	"edrpipe/internal/demo"
	"edrpipe/internal/kinds"
	"edrpipe/internal/service"
	"edrpipe/pkg/edrsim"
)

// demoFor bounds the demo; it ends by itself long before.
const demoFor = 55 * time.Second

func newDemoCommand() *cobra.Command {
	var dir string
	var keep, both bool
	cmd := &cobra.Command{
		Use: "demo",
		Example: `  pipeline demo
  pipeline demo --keep`,
		Short: "Watch a scripted intrusion being answered, on real parts, without an EDR server",
		Long: `Starts an embedded bus, a simulated EDR server with a small fleet, and the
service with the example rules; publishes a scripted intrusion as EDR events and
shows what comes of it. Ends by itself within a minute. --both adds a simulated
Carbon Black Cloud with devices and a story of its own: one service, the same rules,
both kinds of servers side by side.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := demonstration{out: cmd.OutOrStdout(), keep: keep, both: both, dir: dir, within: demoFor}
			return d.run(cmd.Context())
		},
	}
	cmd.AddCommand(newDemoPlayCommand())
	cmd.Flags().StringVar(&dir, "dir", "", "directory for everything the demo keeps (default: a temporary one, removed at the end)")
	cmd.Flags().BoolVar(&keep, "keep", false, "stay up with the same addresses until interrupted, to try things by hand")
	cmd.Flags().BoolVar(&both, "both", false, "also a Carbon Black Cloud: both kinds of servers side by side")
	return cmd
}

// demonstration is one run of the demo.
type demonstration struct {
	out  io.Writer
	keep bool
	both bool
	dir  string

	within time.Duration // after that it has failed
}

func (d demonstration) run(ctx context.Context) (err error) {
	if d.dir == "" {
		if d.dir, err = os.MkdirTemp("", "edrpipe-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	}
	sim := edrsim.New(edrsim.Config{Fleet: demo.Fleet(), TimeScale: demo.Scale}).Start()
	defer sim.Close()
	cfg, err := d.prepare(sim)
	if err != nil {
		return err
	}
	var sides []demo.Side
	if d.both {
		cloud := edrsim.New(edrsim.Config{Kind: edrsim.KindCloud, OrgKey: demo.OrgKey, Fleet: demo.CloudFleet(), TimeScale: demo.Scale}).Start()
		defer cloud.Close()
		if cfg, err = d.addCloud(cfg, cloud); err != nil {
			return err
		}
		sides = []demo.Side{{Server: "demo", Kind: edrsim.KindEDR, BansBy: "MD5", Sim: sim}, {Server: "cloud", Kind: edrsim.KindCloud, BansBy: "SHA-256", Sim: cloud}}
	}
	log, closeLog, err := d.log()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	s, err := service.Open(ctx, cfg, version, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return d.play(ctx, s, sim, sides, cfg)
}

// prepare writes rules, token and configuration into the directory, so that the
// demo runs on what anybody could have written.
func (d demonstration) prepare(sim *edrsim.Server) (config.Config, error) {
	cfg := config.Default()
	cfg.Data = filepath.Join(d.dir, "data")
	cfg.Rules = []string{filepath.Join(d.dir, "rules")}
	cfg.EDR.Name, cfg.EDR.URL, cfg.EDR.Token = "demo", sim.URL, filepath.Join(d.dir, "edr.token")
	cfg.EDR.SensorPoll = time.Second
	cfg.Bus.Sync = time.Minute // a demo may be forgotten by a power cut
	cfg.Bus.Floor = 0          // and is small
	cfg.Web.Listen = "127.0.0.1:0"
	if err := copyFiles(examples.Rules, "rules", cfg.Rules[0]); err != nil {
		return cfg, err
	}
	if d.keep {
		if err := os.WriteFile(filepath.Join(cfg.Rules[0], "question.yaml"), demo.QuestionRule, 0o600); err != nil {
			return cfg, err
		}
	}
	return cfg, os.WriteFile(cfg.EDR.Token, []byte(sim.Token+"\n"), 0o600)
}

// addCloud makes a list of two servers of the one that there is: the second is a Carbon
// Black Cloud.
func (d demonstration) addCloud(cfg config.Config, cloud *edrsim.Server) (config.Config, error) {
	token := filepath.Join(d.dir, "cloud.token")
	if err := os.WriteFile(token, []byte(cloud.Token+"\n"), 0o600); err != nil {
		return cfg, err
	}
	first := cfg.AllServers()[0]
	second := first
	second.Name, second.Kind, second.Accept = "cloud", kinds.CloudKind, []string{"cloud", cloud.OrgKey()}
	// Faster than the default rate, which is for a host that others use as well.
	second.Own = &kinds.Cloud{URL: cloud.URL, OrgKey: cloud.OrgKey(), Token: token, Rate: 50, Burst: 50, Online: 15 * time.Minute}
	cfg.Servers = []config.Server{first, second}
	return cfg, nil
}

func (d demonstration) log() (zerolog.Logger, func() error, error) {
	f, err := os.Create(filepath.Join(d.dir, "edrpipe.log"))
	if err != nil {
		return zerolog.Nop(), nil, err
	}
	return zerolog.New(f).With().Timestamp().Logger(), f.Close, nil
}

// play runs the service and the story side by side until all jobs have ended.
func (d demonstration) play(ctx context.Context, s *service.Service, sim *edrsim.Server, sides []demo.Side, cfg config.Config) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var g errgroup.Group
	g.Go(func() error { return s.Run(ctx) })
	width := terminalWidth(d.out)
	if d.both {
		width = cmp.Or(width, 80)
	}
	show := demo.Show{
		Screen: &demo.Screen{Out: d.out, Bar: unfiltered(d.out), Terminal: isTerminal(d.out) && os.Getenv("NO_COLOR") == "", Width: width, Start: time.Now()},
		Stage:  stage{s}, Simulator: sim, Sides: sides, Dir: d.dir, Web: s.URL(), Token: filepath.Join(cfg.Data, "admin.token"), Within: d.within,
	}
	err := show.Run(ctx)
	if d.keep && err == nil {
		if err = s.Publish(ctx, demo.Question(time.Now())); err == nil {
			err = d.tour(s.URL(), show.Token, sim.URL, cfg.EDR.Token)
		}
		<-ctx.Done()
	}
	stop()
	return errors.Join(err, g.Wait())
}

// tour says how to look around while the demo stays up.
func (d demonstration) tour(dashboard, tokenFile, server, serverToken string) error {
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.out, `
Still running; stop with Ctrl-C.

  dashboard   %s
  token       %s

Look at: Overview (what needs you), Approvals (a question that waits), Jobs (click
one: what happened, step by step), Why (type WS-ANN). From another terminal:

  pipeline jobs list --url %s --token-file %s
  pipeline lr --url %s --token-file %s 1

`, dashboard, strings.TrimSpace(string(token)), dashboard, tokenFile, server, serverToken)
	return err
}

// stage is the service as the show sees it.
type stage struct{ *service.Service }

// Tally implements demo.Stage.
func (s stage) Tally(ctx context.Context) (demo.Tally, error) {
	t, err := s.Service.Tally(ctx)
	return demo.Tally(t), err
}

// copyFiles writes a directory of the binary out.
func copyFiles(from fs.FS, root, to string) error {
	sub, err := fs.Sub(from, root)
	if err != nil {
		return err
	}
	return os.CopyFS(to, sub)
}
