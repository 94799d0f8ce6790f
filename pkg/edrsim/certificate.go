package edrsim

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"time"

	"edrpipe/internal/selfsigned"
)

// SelfSigned makes a certificate like that of a fresh EDR server: self-signed, for a
// name that differs from the host's. It is also valid for localhost, so that it can
// serve as a client's CA.
func SelfSigned() (tls.Certificate, error) {
	return selfsigned.New(selfsigned.Template{
		CommonName: "Simulated EDR Server", DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	})
}

// Fingerprint is the SHA-256 of a certificate, in hex.
func Fingerprint(c tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return hex.EncodeToString(sum[:])
}

// TLSConfig serves with a certificate, in HTTP/1.1 as EDR servers do.
func TLSConfig(c tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
}
