package apiclient

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"edrpipe/internal/config"
)

// Search lists the sources of the service's address and token. The command line takes
// precedence over the environment, and that over the configuration file.
type Search struct {
	URL        string   // address from the command line; may be empty
	TokenFile  string   // file from the command line; may be empty
	ConfigFile string   // empty: pipeline.yaml, if there is one
	Environ    []string // in the form of os.Environ
}

// Variables that name a service and hold a token.
const (
	URLVariable   = "EDRPIPE_URL"
	TokenVariable = "EDRPIPE_TOKEN"
)

// Find returns a client of the service. A missing token is no error: the service's
// answer explains how to get one.
func (s Search) Find() (*Client, error) {
	c := &Client{Server: firstOf(s.URL, s.variable(URLVariable)), Token: s.variable(TokenVariable)}
	if s.TokenFile != "" {
		token, err := readToken(s.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		c.Token = token
	}
	if c.Server != "" && c.Token != "" && !strings.HasPrefix(c.Server, "https:") {
		return c, nil
	}
	cfg, _, err := config.Load(s.ConfigFile, s.Environ, nil)
	if err != nil {
		return nil, err
	}
	if c.Server == "" {
		if c.Server, err = address(cfg.Web); err != nil {
			return nil, err
		}
	}
	if c.Token == "" {
		c.Token = tokenOf(cfg)
	}
	c.HTTP, err = trusting(cfg.Web)
	return c, err
}

func (s Search) variable(name string) string {
	for _, kv := range s.Environ {
		if text, ok := strings.CutPrefix(kv, name+"="); ok {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

// tokenOf returns the admin's token of a service on this machine where the caller
// may read it: `pipeline run` leaves it in the data directory, `pipeline secrets`
// beside the users file.
func tokenOf(c config.Config) string {
	for _, dir := range []string{c.Data, filepath.Dir(c.Web.Users)} {
		if token, err := readToken(filepath.Join(dir, "admin.token")); err == nil {
			return token
		}
	}
	return ""
}

func readToken(name string) (string, error) {
	b, err := os.ReadFile(name)
	return strings.TrimSpace(string(b)), err
}

// address is where the service listens, as seen from the same machine.
func address(c config.Web) (string, error) {
	if c.Listen == "" {
		return "", errors.New("web.listen is empty, so the service answers nowhere: set it, or name another service with --url")
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", fmt.Errorf("web.listen %q: %w", c.Listen, err)
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

// trusting returns a client that accepts exactly the certificate of the configured
// service, for any host name; nil without one.
func trusting(c config.Web) (*http.Client, error) {
	if c.Cert == "" {
		return nil, nil
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
			return errors.New("the certificate that was shown is not the one of web.cert")
		}
		return nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: pinned}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: t, Proxy: nil}}, nil
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
