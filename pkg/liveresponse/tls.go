package liveresponse

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// TLS selects the certificates that are accepted. The zero value trusts the system's
// authorities. EDR servers come with a self-signed certificate whose name does not
// match the host: pin it.
type TLS struct {
	// Pin is the certificate itself in PEM, or its SHA-256 fingerprint in hex,
	// colons allowed. Only the pinned certificate is accepted; its name, issuer and
	// dates are not checked.
	Pin string
	// CA is one or more authorities in PEM that are trusted instead of the system's.
	CA []byte
	// InsecureSkipVerify accepts any certificate: an attacker on the network path can
	// read the token and act on every endpoint.
	InsecureSkipVerify bool
}

// Config checks t and makes what a transport needs of it.
func (t TLS) Config() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case t.Pin != "":
		want, err := fingerprint(t.Pin)
		if err != nil {
			return nil, err
		}
		// The pin replaces verification by authority; VerifyConnection also runs for
		// resumed connections, which VerifyPeerCertificate does not.
		conf.InsecureSkipVerify = true
		conf.VerifyConnection = func(cs tls.ConnectionState) error { return checkPin(cs, want) }
	case len(t.CA) > 0:
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(t.CA) {
			return nil, errors.New("EDR server: the CA file holds no PEM certificate")
		}
	case t.InsecureSkipVerify:
		conf.InsecureSkipVerify = true
	}
	return conf, nil
}

// fingerprint returns the SHA-256 that pin stands for.
func fingerprint(pin string) ([]byte, error) {
	if block, _ := pem.Decode([]byte(pin)); block != nil {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("EDR server: the pin is a PEM %s, not a CERTIFICATE", block.Type)
		}
		sum := sha256.Sum256(block.Bytes)
		return sum[:], nil
	}
	text := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(pin)), "sha256:")
	sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(sum) != sha256.Size {
		return nil, errors.New("EDR server: a pin is a PEM certificate or 64 hex digits, the certificate's SHA-256")
	}
	return sum, nil
}

func checkPin(cs tls.ConnectionState, want []byte) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("server shows no certificate")
	}
	got := sha256.Sum256(cs.PeerCertificates[0].Raw)
	if subtle.ConstantTimeCompare(got[:], want) != 1 {
		return fmt.Errorf("server's certificate has SHA-256 %x, pinned is %x", got, want)
	}
	return nil
}

// NewHTTPClient returns a client that follows no redirect, because the token is in a
// header that net/http would carry along to another host. It has no overall time-out: each request brings its own.
func NewHTTPClient(conf *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSClientConfig:       conf,
			TLSHandshakeTimeout:   15 * time.Second,
			ExpectContinueTimeout: time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   32,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
