package secretfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// consumers lists for each part of a deployment the secrets that it reads, and no others.
var consumers = map[string][]string{
	"service":    {"service.password", "ingest.password", "ingest.token", "simulator.token", "state.key", usersFile, "web.crt", "web.key", "nats.crt", "simulator.crt"},
	"nats":       {natsPasswords, natsRoutes, "nats.crt", "nats.key"},
	"simulator":  {"simulator.token", "simulator.crt", "simulator.key"},
	"intrusion":  {"ingest.password", "simulator.token", "nats.crt", "simulator.crt"},
	"bridge":     {"ingest.password", rabbitFile, "nats.crt"},
	"rabbitmq":   {definitionsFile},
	"prometheus": {"metrics.token", "web.crt"},
	"grafana":    {"grafana.password"},
}

// OnceDir is a directory in which a secret lies until it is shown for the first time.
const OnceDir = "once"

// ErrConsumer: there is no such part of a deployment.
var ErrConsumer = errors.New("no part of a deployment")

// Share copies the secrets of dir to the directories of their consumers below to, each
// file readable by the user of its consumer only. owners are the numeric users by consumer.
// The admin's token is moved to the directory OnceDir of the service's user, from where
// TakeOnce removes it.
func Share(dir, to string, owners map[string]int) error {
	for _, name := range slices.Sorted(maps.Keys(owners)) {
		files, ok := consumers[name]
		if !ok {
			return fmt.Errorf("%q is %w: %s", name, ErrConsumer, strings.Join(slices.Sorted(maps.Keys(consumers)), ", "))
		}
		for _, file := range files {
			if err := hand(filepath.Join(dir, file), filepath.Join(to, name), owners[name]); err != nil {
				return err
			}
		}
	}
	owner, ok := owners["service"]
	if !ok {
		return nil
	}
	admin := filepath.Join(dir, "admin.token")
	if _, err := os.Stat(admin); errors.Is(err, fs.ErrNotExist) {
		return nil // it was moved before
	}
	if err := hand(admin, filepath.Join(to, OnceDir), owner); err != nil {
		return err
	}
	return os.Remove(admin)
}

// hand copies a file into a directory, both of the owner.
func hand(file, dir string, owner int) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("share: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("share: %w", err)
	}
	target := filepath.Join(dir, filepath.Base(file))
	if err := write(target, string(text)); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(dir, 0o700), os.Chown(target, owner, -1), os.Chown(dir, owner, -1)); err != nil {
		return fmt.Errorf("share: only root can give files to another user: %w", err)
	}
	return nil
}

// TakeOnce returns the token NAME of the directory dir, and removes it there. The error of
// one that is not there is fs.ErrNotExist.
func TakeOnce(dir, name string) (string, error) {
	file := filepath.Join(dir, name+".token")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if err := os.Remove(file); err != nil {
		return "", fmt.Errorf("the token is not shown, as it cannot be removed: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
