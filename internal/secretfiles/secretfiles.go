// Package secretfiles makes the secrets that a fresh deployment needs, as files
// that only their owner reads, and copies to each part of it those that it reads. What
// is there already stays as it is.
package secretfiles

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// accounts are the passwords of the bus's users, by file; the NATS server reads
// the same ones as variables.
var accounts = map[string]string{
	"service.password": "SERVICE_PASSWORD",
	"ingest.password":  "INGEST_PASSWORD",
	"reader.password":  "READER_PASSWORD",
	"sys.password":     "SYS_PASSWORD",
}

// others are the secrets of HTTP ingest, the simulator, Grafana, RabbitMQ, the servers of
// a NATS cluster among themselves, and the key that seals the records of replicas.
var others = []string{"ingest.token", "simulator.token", "grafana.password", rabbitFile, routeFile, "state.key"}

const (
	routeFile     = "route.password"
	rabbitFile    = "rabbitmq.password"
	natsPasswords = "nats-passwords.conf"
	natsRoutes    = "nats-routes.conf"
)

// mode is that of every secret: only its owner reads it.
const mode fs.FileMode = 0o400

// Make creates the missing secrets in dir and returns their names.
func Make(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	var made []string
	secret := map[string]string{}
	for _, name := range append(slices.Sorted(maps.Keys(accounts)), others...) {
		text, fresh, err := one(filepath.Join(dir, name))
		if err != nil {
			return made, err
		}
		if fresh {
			made = append(made, name)
		}
		secret[name] = text
	}
	for _, more := range []func(string) ([]string, error){certificates, users} {
		names, err := more(dir)
		made = append(made, names...)
		if err != nil {
			return made, err
		}
	}
	return made, errors.Join(
		write(filepath.Join(dir, natsPasswords), accountsConf(secret)),
		write(filepath.Join(dir, natsRoutes), routesConf(secret[routeFile])),
		rabbitDefinitions(dir, secret[rabbitFile]),
	)
}

// BusUsers are the passwords of an embedded bus that listens.
type BusUsers struct{ Operator, Ingest, Reader string }

// Bus reads the passwords of an embedded bus from dir, and makes those that are
// missing: <user>.password, readable by their owner only.
func Bus(dir string) (BusUsers, error) {
	var u BusUsers
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return u, fmt.Errorf("secrets: %w", err)
	}
	for name, password := range map[string]*string{"operator": &u.Operator, "ingest": &u.Ingest, "reader": &u.Reader} {
		text, _, err := one(filepath.Join(dir, name+".password"))
		if err != nil {
			return u, err
		}
		*password = text
	}
	return u, nil
}

// Key reads a key from a file. Where make says so it makes one that is missing, readable
// by its owner only.
func Key(path string, make bool) (key []byte, made bool, err error) {
	if _, err := os.Stat(path); err != nil && !make {
		return nil, false, fmt.Errorf("key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, false, fmt.Errorf("key: %w", err)
	}
	text, made, err := one(path)
	return []byte(text), made, err
}

// A NATS configuration refuses variables that it does not use, so accounts and
// routes are files of their own.
func accountsConf(secret map[string]string) string {
	var b strings.Builder
	b.WriteString("# Made by `pipeline secrets`, with the passwords of the .password files.\n")
	for _, name := range slices.Sorted(maps.Keys(accounts)) {
		fmt.Fprintf(&b, "%s: %q\n", accounts[name], secret[name])
	}
	return b.String()
}

func routesConf(password string) string {
	var b strings.Builder
	b.WriteString("# Made by `pipeline secrets`.\n")
	fmt.Fprintf(&b, "ROUTE_PASSWORD: %q\n", password)
	for i := 1; i <= 3; i++ {
		fmt.Fprintf(&b, "ROUTE_%d: \"nats-route://route:%s@nats-%d:6222\"\n", i, password, i)
	}
	return b.String()
}

// one reads a secret, or makes it.
func one(path string) (text string, fresh bool, err error) {
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		return strings.TrimSpace(string(data)), false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", false, fmt.Errorf("secret: %w", err)
	}
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails
	text = hex.EncodeToString(b)
	return text, true, write(path, text+"\n")
}

// write replaces a file. One of that name which an interrupted write left may be
// read-only.
func write(path, text string) error {
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("secret: %w", err)
	}
	if err := os.WriteFile(path+".new", []byte(text), mode); err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	return os.Rename(path+".new", path)
}
