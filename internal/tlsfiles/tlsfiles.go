// Package tlsfiles makes the TLS configuration of a client from PEM files.
package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// Client names the files of a client. The zero value trusts the system's
// authorities and presents no certificate.
type Client struct {
	CA        string // authorities trusted instead of the system's
	Cert, Key string // certificate that the client presents, with its private key; both or none
}

// Empty reports whether no file is named.
func (c Client) Empty() bool { return c == Client{} }

// Config reads the files. TLS 1.2 is the oldest version that it accepts.
func (c Client) Config() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("CA: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA: %s holds no certificate", c.CA)
		}
	}
	if c.Cert == "" && c.Key == "" {
		return conf, nil
	}
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("client certificate: %w", err)
	}
	conf.Certificates = []tls.Certificate{pair}
	return conf, nil
}
