package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"edrpipe/internal/config"
	"edrpipe/pkg/bus"
)

// busFlags let a command reach the bus: by flags, or as the configuration and its
// environment variables say.
type busFlags struct {
	config       string
	url          string
	user         string
	passwordFile string
	creds        string
	nkey         string
	ca           string
	cert, key    string
	wait         time.Duration
}

func (f *busFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.config, "config", "c", os.Getenv("EDRPIPE_CONFIG"), "configuration file that says where the bus is (default pipeline.yaml, if there is one)")
	flags.StringVar(&f.url, "nats", "", "bus, nats://host:port (also $EDRPIPE_BUS_URL)")
	flags.StringVar(&f.user, "user", "", "user at the bus")
	flags.StringVar(&f.passwordFile, "password-file", "", "file with the user's password")
	flags.StringVar(&f.creds, "creds", "", "NATS credentials file")
	flags.StringVar(&f.nkey, "nkey", "", "NATS key seed file")
	flags.StringVar(&f.ca, "bus-ca", "", "certificates to trust at the bus; turns TLS on")
	flags.StringVar(&f.cert, "bus-cert", "", "client certificate for the bus, with --bus-key")
	flags.StringVar(&f.key, "bus-key", "", "key of the client certificate")
	flags.DurationVar(&f.wait, "wait", 10*time.Second, "how long to wait for a bus that does not answer")
}

// connect connects to the bus. Close ends the connection.
func (f *busFlags) connect(ctx context.Context, log zerolog.Logger) (*bus.Bus, error) {
	c, err := f.settings()
	if err != nil {
		return nil, err
	}
	if c.URL == "" {
		return nil, &usageError{errors.New("no bus: give --nats, or a configuration with bus.url (an embedded bus is reached with bus.listen)")}
	}
	c.Name, c.Log = "edrpipe-cli", log
	ctx, cancel := context.WithTimeout(ctx, f.wait)
	defer cancel()
	return bus.Connect(ctx, c)
}

// settings are those of the configuration with the flags over them.
func (f *busFlags) settings() (bus.Config, error) {
	conf, _, err := config.Load(f.config, os.Environ(), nil)
	if err != nil {
		return bus.Config{}, err
	}
	b := conf.Bus
	if b.URL == "" && b.Listen != "" {
		b.URL = "nats://" + b.Listen
		if b.User == "" {
			b.User, b.Password = "operator", filepath.Join(config.BusUsers(conf.Data), "operator.password")
		}
	}
	for _, s := range []struct {
		to   *string
		flag string
	}{
		{&b.URL, f.url}, {&b.User, f.user}, {&b.Password, f.passwordFile}, {&b.Creds, f.creds}, {&b.NKey, f.nkey},
		{&b.CA, f.ca}, {&b.Cert, f.cert}, {&b.Key, f.key},
	} {
		if s.flag != "" {
			*s.to = s.flag
		}
	}
	password, err := secretFile(b.Password, "bus password")
	if err != nil {
		return bus.Config{}, err
	}
	return bus.Config{URL: b.URL, User: b.User, Password: password, Creds: b.Creds, NKey: b.NKey, CA: b.CA, Cert: b.Cert, Key: b.Key}, nil
}

// secretFile reads a file that holds one secret; no name, no secret.
func secretFile(path, what string) (string, error) {
	if path == "" {
		return "", nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// commandLog is what long-running commands say of themselves, on standard error.
func commandLog(cmd *cobra.Command) zerolog.Logger {
	return zerolog.New(zerolog.ConsoleWriter{Out: cmd.ErrOrStderr(), NoColor: true, TimeFormat: time.TimeOnly}).Level(zerolog.InfoLevel).With().Timestamp().Logger()
}
