package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/config"
	"edrpipe/internal/web"
)

// healthWithin bounds the question and its answer.
const healthWithin = 5 * time.Second

func newHealthCommand() *cobra.Command {
	var url, file string
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running service whether it is ready; for container health checks",
		Long: `Asks the service that the configuration describes, on this machine, whether it is
ready. The exit status is 0 when it is and 1 when it is not or nobody answers.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := config.Load(file, os.Environ(), nil)
			if err != nil {
				return err
			}
			client, err := healthClient(cfg.Web)
			if err != nil {
				return err
			}
			if url == "" {
				if url, err = healthURL(cfg.Web); err != nil {
					return err
				}
			}
			return health(cmd, client, url)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", os.Getenv("EDRPIPE_CONFIG"), "configuration file (default pipeline.yaml, if there is one)")
	cmd.Flags().StringVar(&url, "url", "", "where the service answers (default: as the configuration says)")
	return cmd
}

// healthURL is where the service listens, as seen from the same machine.
func healthURL(c config.Web) (string, error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", &usageError{fmt.Errorf("web.listen %q: %w", c.Listen, err)}
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http://"
	if c.Cert != "" {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port), nil
}

// healthClient expects exactly the certificate that the service shows, whatever
// name it was made for.
func healthClient(c config.Web) (*http.Client, error) {
	if c.Cert == "" {
		return http.DefaultClient, nil
	}
	data, err := os.ReadFile(c.Cert)
	if err != nil {
		return nil, fmt.Errorf("web.cert: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("web.cert: %s holds no certificate", c.Cert)
	}
	pinned := func(s tls.ConnectionState) error {
		if !s.PeerCertificates[0].Equal(&x509.Certificate{Raw: block.Bytes}) {
			return errors.New("what answers shows another certificate than web.cert")
		}
		return nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: pinned}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: t}}, nil
}

func health(cmd *cobra.Command, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), healthWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/readyz", nil)
	if err != nil {
		return &usageError{err}
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no service answers at %s: %w", url, err)
	}
	defer func() { _ = res.Body.Close() }() // only read from
	var answer struct {
		Ready  bool
		Checks []web.Check
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("what answers at %s is not edrpipe: %w", url, err)
	}
	for _, c := range answer.Checks {
		state := "works"
		if !c.OK {
			state = "does not work"
		}
		fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(c.Name+" "+state+" "+c.Text))
	}
	if !answer.Ready {
		return errSilent
	}
	return nil
}
