package actions

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Secret is a secret of rules, and where it may go.
type Secret struct {
	Text  string
	Hosts []string // names, *.names and addresses that it may be sent to; empty: any
}

// ErrSecretElsewhere is the error of a secret that is not for the host of a request.
var ErrSecretElsewhere = errors.New("the configuration does not let this secret go there (secrets)")

// secret returns the secret of that name for a request to a host.
func (t *Task) secret(name, host string) (string, error) {
	s, err := t.lookUp(name)
	if err != nil {
		return "", err
	}
	return s.Text, s.mayGoTo(name, host)
}

func (t *Task) lookUp(name string) (Secret, error) {
	if t.Secret == nil {
		return Secret{}, fmt.Errorf("secret %q: no secrets are configured", name)
	}
	s, err := t.Secret(name)
	if err != nil {
		return Secret{}, fmt.Errorf("secret %q: %w", name, err)
	}
	return s, nil
}

func (s Secret) mayGoTo(name, host string) error {
	if len(s.Hosts) == 0 || HostIn(s.Hosts, host) {
		return nil
	}
	return fmt.Errorf("secret %q to %s: %w", name, host, ErrSecretElsewhere)
}

// HostIn reports whether a host is in a list of names, *.names and addresses.
func HostIn(list []string, host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(list, func(entry string) bool {
		entry = strings.ToLower(entry)
		if suffix, ok := strings.CutPrefix(entry, "*"); ok {
			return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
		}
		return entry == host
	})
}
