package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"edrpipe/internal/tlsfiles"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/events/amqp"
	"edrpipe/pkg/events/jetstream"
)

func newBridgeAMQPCommand() *cobra.Command {
	var a amqpFlags
	var b busFlags
	cmd := &cobra.Command{
		Use:   "amqp",
		Short: "Carry the EDR server's own bus (RabbitMQ) onto NATS",
		Long: `Carry the EDR server's own bus (RabbitMQ) onto NATS, message by message as it is.
A message is acknowledged at the EDR server when the stream has confirmed it; one
larger than the bus takes is split by event, and what cannot be split becomes a
dead letter, with a warning.

Its queue at the EDR server is bounded: when the bridge is away for long, the
oldest messages go.`,
		Example: `  pipeline bridge amqp --amqp amqp://cb@edr.example:5004/ --amqp-password-file /run/secrets/amqp --server edr01 --nats nats://bus:4222`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := commandLog(cmd)
			config, err := a.config()
			if err != nil {
				return err
			}
			config.Log = log
			src, err := amqp.New(config)
			if err != nil {
				return &usageError{err}
			}
			conn, err := b.connect(cmd.Context(), log)
			if err != nil {
				return err
			}
			defer conn.Close()
			return bridge(cmd.Context(), src, conn, log)
		},
	}
	a.register(cmd)
	b.register(cmd)
	return cmd
}

// amqpFlags name an EDR server's bus on the command line.
type amqpFlags struct {
	url          string
	passwordFile string
	ca           string
	cert, key    string
	insecure     bool
	server       string
	queue        string
	keys         []string
	raw          bool
	prefetch     int
	maxBytes     int64
	expires      time.Duration
	transient    bool
}

func (f *amqpFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.url, "amqp", os.Getenv("EDRPIPE_SOURCES_AMQP_URL"), "EDR server's RabbitMQ, amqp://user@host:5004/ or amqps:// (also $EDRPIPE_SOURCES_AMQP_URL)")
	flags.StringVar(&f.passwordFile, "amqp-password-file", os.Getenv("EDRPIPE_SOURCES_AMQP_PASSWORD_FILE"), "file with the user's password")
	flags.StringVar(&f.ca, "amqp-ca", "", "certificates to trust for amqps")
	flags.StringVar(&f.cert, "amqp-cert", "", "client certificate, with --amqp-key")
	flags.StringVar(&f.key, "amqp-key", "", "key of the client certificate")
	flags.BoolVar(&f.insecure, "amqp-insecure", false, "accept any certificate, as the event forwarder does: the password can be read on the way")
	flags.StringVar(&f.server, "server", "edr", "name of the EDR server, part of the subjects")
	flags.StringVar(&f.queue, "queue", "edrpipe-bridge", "name of the queue that is made at the EDR server")
	flags.StringSliceVar(&f.keys, "bind", amqp.DefaultBindings()[0].Keys, "routing keys to take from "+amqp.ExchangeEvents)
	flags.BoolVar(&f.raw, "raw", true, "also take "+amqp.ExchangeRaw)
	flags.IntVar(&f.prefetch, "prefetch", 0, "messages on their way at a time; 0: 200")
	flags.Int64Var(&f.maxBytes, "max-bytes", 0, "bytes that the queue may hold at the EDR server; 0: 256 MiB")
	flags.DurationVar(&f.expires, "expires", 0, "the queue goes when nobody has read it for so long; 0: 1h")
	flags.BoolVar(&f.transient, "transient", false, "make the queue so that it does not survive a restart of RabbitMQ")
}

func (f *amqpFlags) config() (amqp.Config, error) {
	if f.url == "" {
		return amqp.Config{}, &usageError{errors.New("no EDR bus: give --amqp")}
	}
	at, t, err := f.access()
	if err != nil {
		return amqp.Config{}, err
	}
	c := amqp.Config{
		URL: at, TLS: t, Access: f.access, Server: f.server, Prefetch: f.prefetch,
		Bindings: []amqp.Binding{{Exchange: amqp.ExchangeEvents, Keys: f.keys}},
		Queue:    amqp.Queue{Name: f.queue, Transient: f.transient, MaxBytes: f.maxBytes, Expires: f.expires},
	}
	if f.raw {
		c.Bindings = append(c.Bindings, amqp.Binding{Exchange: amqp.ExchangeRaw})
	}
	return c, nil
}

// access reads the files that the bridge signs in with.
func (f *amqpFlags) access() (string, *tls.Config, error) {
	at, err := f.withPassword()
	if err != nil {
		return "", nil, err
	}
	t, err := f.tls()
	return at, t, err
}

// withPassword puts the password from its file into the URL.
func (f *amqpFlags) withPassword() (string, error) {
	password, err := secretFile(f.passwordFile, "AMQP password")
	if err != nil || password == "" {
		return f.url, err
	}
	u, err := url.Parse(f.url)
	if err != nil || u.User == nil {
		return "", &usageError{errors.New("--amqp needs a user for the password: amqp://user@host:5004/")}
	}
	u.User = url.UserPassword(u.User.Username(), password)
	return u.String(), nil
}

func (f *amqpFlags) tls() (*tls.Config, error) {
	c, err := tlsfiles.Client{CA: f.ca, Cert: f.cert, Key: f.key}.Config()
	if err != nil {
		return nil, fmt.Errorf("AMQP: %w", err)
	}
	c.InsecureSkipVerify = f.insecure
	return c, nil
}

// bridge carries a source's messages onto the bus until ctx ends.
func bridge(ctx context.Context, src *amqp.Source, b *bus.Bus, log zerolog.Logger) error {
	p := jetstream.NewPublisher(jetstream.PublisherConfig{
		JetStream: b.JetStream(), Dead: &jetstream.DeadLetters{JetStream: b.JetStream()}, Log: log,
	})
	ctx, stop := context.WithCancel(ctx)
	var reports sync.WaitGroup
	reports.Go(func() { reportBridge(ctx, src, p, log) })
	err := src.Read(ctx, p.Carry)
	stop()
	reports.Wait()
	return errors.Join(err, p.Close())
}

// reportBridge says each minute what went through and what waits at the EDR
// server: a queue that grows there is a bridge, or a bus, that is too slow.
func reportBridge(ctx context.Context, src *amqp.Source, p *jetstream.Publisher, log zerolog.Logger) {
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-minute.C:
		}
		s := p.Stats()
		line := log.Info().Int64("published", s.Published).Int64("duplicates", s.Duplicates).Int64("failed", s.Failed).Int64("refused", s.Refused)
		if depth, err := src.Depth(); err == nil {
			line = line.Int("waiting", depth)
		}
		line.Msg("bridge")
	}
}
