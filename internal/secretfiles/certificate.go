package secretfiles

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"edrpipe/internal/selfsigned"
)

// listeners are the parts of a deployment that have a certificate, NAME.crt, and its key,
// NAME.key, with the host names that the compose file gives them. Each has its own, so
// that the key of one does not open the connections of another. It is self-signed: the
// same file is the authority that clients trust.
var listeners = map[string][]string{
	"nats":      {"localhost", "nats", "nats-1", "nats-2", "nats-3"},
	"web":       {"localhost", "pipeline", "pipeline-2", "pipeline-3"},
	"simulator": {"localhost", "simulator"},
}

// certificates makes certificates and keys, unless both are there. A certificate is good
// for ten years, as it has no renewal.
func certificates(dir string) (made []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(listeners)) {
		crt, key := filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
		_, noCrt := os.Stat(crt)
		_, noKey := os.Stat(key)
		if noCrt == nil && noKey == nil {
			continue
		}
		crtPEM, keyPEM, err := selfSigned(listeners[name], time.Now())
		if err != nil {
			return made, err
		}
		if err := errors.Join(write(key, keyPEM), write(crt, crtPEM)); err != nil {
			return made, err
		}
		made = append(made, name+".crt", name+".key")
	}
	return made, nil
}

func selfSigned(hosts []string, now time.Time) (crtPEM, keyPEM string, err error) {
	c, err := selfsigned.New(selfsigned.Template{
		CommonName: "edrpipe deployment", DNSNames: hosts, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
	})
	if err != nil {
		return "", "", err
	}
	return selfsigned.PEM(c)
}
