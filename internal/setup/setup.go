package setup

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

//go:embed files
var files embed.FS

// Plan is what a deployment consists of.
type Plan struct {
	Dir    string
	EDR    []Server // at least one
	Bus    Bus
	Listen string // of dashboard and API
	DryRun bool

	Systemd, Compose bool   // also write a unit, or a compose file
	Binary           string // where the running binary lies, for the unit's comment
	User             string // that runs the unit
	UID, GID         int    // of the container
}

// Server is an EDR server.
type Server struct {
	Name, URL string
	Kind      string // of the configuration; empty: Carbon Black EDR
	OrgKey    string // of a Carbon Black Cloud
	Tenant    string // label; empty: none
	Token     string // empty: one is made, for the simulator
	CA        []byte // certificates in PEM; empty: those of the system
	Pin       string
	AMQP      AMQP
}

// Bus is an external NATS; without a URL the bus is embedded.
type Bus struct {
	URL, User, Password string
	CA                  []byte
}

// AMQP is the RabbitMQ of an EDR server; without a URL it is not read.
type AMQP struct {
	URL, Password string
	CA            []byte
}

// file is one file of the new directory.
type file struct {
	name string
	data []byte
	mode fs.FileMode
}

// Write makes the directory and returns the names of its files. It never changes an
// existing file: one of the same name is an error before the first write.
func (p Plan) Write() ([]string, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	all, err := p.files()
	if err != nil {
		return nil, err
	}
	var names, there []string
	for _, f := range all {
		names = append(names, f.name)
		if _, err := os.Lstat(filepath.Join(p.Dir, f.name)); err == nil {
			there = append(there, f.name)
		}
	}
	if len(there) > 0 {
		return nil, fmt.Errorf("%s already has %s: name another directory, or remove them", p.Dir, strings.Join(there, ", "))
	}
	for _, f := range all {
		if err := f.write(p.Dir); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func (f file) write(dir string) error {
	name := filepath.Join(dir, f.name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.mode)
	if err != nil {
		return err
	}
	_, err = out.Write(f.data)
	return errors.Join(err, out.Close())
}

// check refuses what the service would refuse later.
func (p Plan) check() error {
	if len(p.EDR) == 0 {
		return errors.New("a deployment needs an EDR server")
	}
	names := map[string]bool{}
	for _, s := range p.EDR {
		if err := s.check(); err != nil {
			return err
		}
		word := strings.ToLower(s.Name)
		if names[word] {
			return fmt.Errorf("two EDR servers are called %q: the name is part of the identity of their endpoints", s.Name)
		}
		names[word] = true
	}
	if p.Bus.URL == "" {
		return nil
	}
	return checkAddress("bus", p.Bus.URL, "nats", "tls")
}

func (s Server) check() error {
	if err := checkAddress(strings.TrimSpace("EDR server "+s.Name), s.URL, "https", "http"); err != nil {
		return err
	}
	if s.Name == "" || s.Name[0] == '.' || strings.ContainsAny(s.Name, "/ *>\t\r\n") {
		return fmt.Errorf("the EDR server's name %q is to be a word without blanks, slashes, * and >, and no dot at its beginning", s.Name)
	}
	if s.AMQP.URL == "" {
		return nil
	}
	if s.AMQP.Password == "" {
		return fmt.Errorf("the RabbitMQ of %s needs a password", s.Name)
	}
	return checkAddress("RabbitMQ of "+s.Name, s.AMQP.URL, "amqp", "amqps")
}

// checkAddress refuses an address of another scheme, and one with a password in it.
func checkAddress(what, address string, schemes ...string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		return fmt.Errorf("the address of the %s, %q, is not of the form %s://host", what, address, schemes[0])
	}
	if _, secret := u.User.Password(); secret {
		return fmt.Errorf("the address of the %s holds a password: give it in a file", what)
	}
	return nil
}

// Short reports whether the configuration has the short form, of one server.
func (p Plan) Short() bool { return len(p.EDR) == 1 && p.EDR[0].Kind == "" && p.EDR[0].Tenant == "" }

// Secret is the file of a secret of a server, relative to the directory. name is token,
// ca.pem, amqp.password or amqp-ca.pem.
func (p Plan) Secret(s Server, name string) string {
	switch {
	case !p.Short():
		return "secrets/" + s.Name + "/" + name
	case strings.HasPrefix(name, "amqp"):
		return "secrets/" + name
	}
	return "secrets/edr" + map[string]string{"token": ".token", "ca.pem": "-ca.pem"}[name]
}

// files are all files of the plan, with their contents.
func (p Plan) files() ([]file, error) {
	all := []file{
		{"secrets/ingest.token", secret(""), 0o600},
		{".gitignore", []byte("secrets/\nedrpipe-data/\n"), 0o644},
	}
	secrets := map[string][]byte{"secrets/bus.password": []byte(p.Bus.Password), "secrets/bus-ca.pem": p.Bus.CA}
	for _, s := range p.EDR {
		secrets[p.Secret(s, "token")] = secret(s.Token)
		secrets[p.Secret(s, "ca.pem")] = s.CA
		secrets[p.Secret(s, "amqp.password")] = []byte(s.AMQP.Password)
		secrets[p.Secret(s, "amqp-ca.pem")] = s.AMQP.CA
	}
	for name, data := range secrets {
		if len(data) > 0 {
			all = append(all, file{name, append(bytes.TrimRight(data, "\n"), '\n'), 0o600})
		}
	}
	templates := []string{"pipeline.yaml", "guards.yaml", "endpoints.yaml", "rules/program-from-temp.yaml"}
	if p.Compose {
		templates = append(templates, "compose.yaml")
	}
	if p.Systemd {
		templates = append(templates, "edrpipe.service")
	}
	for _, name := range templates {
		data, err := p.render(name)
		if err != nil {
			return nil, err
		}
		all = append(all, file{name, data, 0o644})
	}
	slices.SortFunc(all, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// render fills in a file; a rule's own ${{ … }} stays as it is.
func (p Plan) render(name string) ([]byte, error) {
	data, err := files.ReadFile("files/" + name)
	if err != nil || strings.HasPrefix(name, "rules/") {
		return data, err
	}
	t, err := template.New(name).Funcs(template.FuncMap{"q": strconv.Quote}).Parse(string(data))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out.Bytes(), nil
}

// secret is the content of a secret's file; an empty secret is made.
func secret(text string) []byte {
	if text == "" {
		b := make([]byte, 20)
		_, _ = rand.Read(b) // never fails
		text = hex.EncodeToString(b)
	}
	return []byte(text + "\n")
}
