package rabbittest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// PKI is an authority with a server's and a client's certificate, as files.
type PKI struct {
	CA     []byte // PEM
	Server Certificates
	Client Certificates
	dir    string
}

// NewPKI makes one; Close removes its files.
func NewPKI() (*PKI, error) {
	dir, err := os.MkdirTemp("", "edrpipe-pki-")
	if err != nil {
		return nil, err
	}
	p := &PKI{dir: dir}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := template("test authority", 1)
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	p.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), p.CA, 0o600); err != nil {
		return nil, err
	}
	if p.Server, err = p.issue("server", 2, x509.ExtKeyUsageServerAuth, ca, key); err != nil {
		return nil, err
	}
	p.Client, err = p.issue("client", 3, x509.ExtKeyUsageClientAuth, ca, key)
	return p, err
}

// Close removes the files.
func (p *PKI) Close() error { return os.RemoveAll(p.dir) }

func template(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
}

func (p *PKI) issue(name string, serial int64, use x509.ExtKeyUsage, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (Certificates, error) {
	files := Certificates{CA: filepath.Join(p.dir, "ca.pem"), Cert: filepath.Join(p.dir, name+".pem"), Key: filepath.Join(p.dir, name+".key")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return files, err
	}
	t := template(name, serial)
	t.KeyUsage, t.ExtKeyUsage, t.IPAddresses = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{use}, []net.IP{net.IPv4(127, 0, 0, 1)}
	der, err := x509.CreateCertificate(rand.Reader, t, ca, &key.PublicKey, caKey)
	if err != nil {
		return files, err
	}
	if err := os.WriteFile(files.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return files, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return files, err
	}
	return files, os.WriteFile(files.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)
}
