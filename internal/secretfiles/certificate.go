package secretfiles

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"edrpipe/internal/selfsigned"
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
	c, err := selfsigned.New(selfsigned.Template{
		CommonName: "edrpipe deployment", DNSNames: hosts, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
	})
	if err != nil {
		return "", "", err
	}
	return selfsigned.PEM(c)
}
