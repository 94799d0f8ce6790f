package secretfiles

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The certificate that the parts of one deployment show each other: self-signed,
// so the same file is the authority that its clients trust.
const (
	certificateFile = "tls.crt"
	keyFile         = "tls.key"
)

// hosts are the names that the compose file gives its services.
var hosts = []string{"localhost", "nats", "nats-1", "nats-2", "nats-3", "pipeline", "pipeline-2", "pipeline-3", "simulator", "rabbitmq"}

// certificate makes certificate and key, unless both are there. A certificate is
// good for ten years: nobody renews what nobody sees.
func certificate(dir string, mode fs.FileMode) (made []string, err error) {
	crt, key := filepath.Join(dir, certificateFile), filepath.Join(dir, keyFile)
	_, noCrt := os.Stat(crt)
	_, noKey := os.Stat(key)
	if noCrt == nil && noKey == nil {
		return nil, nil
	}
	crtPEM, keyPEM, err := selfSigned(time.Now())
	if err != nil {
		return nil, err
	}
	return []string{certificateFile, keyFile}, errors.Join(write(key, keyPEM, mode), write(crt, crtPEM, mode))
}

func selfSigned(now time.Time) (crtPEM, keyPEM string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return "", "", fmt.Errorf("make a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "edrpipe deployment"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true,
		DNSNames: hosts, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", "", fmt.Errorf("make a certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", fmt.Errorf("make a key: %w", err)
	}
	return text("CERTIFICATE", der), text("PRIVATE KEY", keyDER), nil
}

func text(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
