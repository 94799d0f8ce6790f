package service

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/internal/pager"
	"edrpipe/internal/references"
	"edrpipe/internal/tlsfiles"
	"edrpipe/internal/web"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/strictyaml"
	"edrpipe/rules"
)

// Preflight checks all that a service needs before it listens or connects. It has no side
// effects and opens no connection. Open begins with it, so that `config check` and `run`
// cannot differ.
func Preflight(cfg config.Config) error {
	s := &Service{cfg: cfg, log: zerolog.Nop()}
	return errors.Join(s.secretFiles(), s.tlsPairs(), s.openEDR(), s.preflightBus(), s.preflightPeople(), s.preflightRest())
}

// secretFiles reads every file that the configuration names for a secret.
func (s *Service) secretFiles() error {
	var errs []error
	for _, k := range config.Keys() {
		file := k.Text(s.cfg)
		if k.Secret == "" || file == "" || k.Path == "edr.token_file" || k.Path == "web.users_file" || strings.HasPrefix(k.Path, "notify.") {
			continue // read by its own reader
		}
		if _, err := secret(file); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", k.Path, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) tlsPairs() error {
	var errs []error
	if s.cfg.Web.Cert != "" || s.cfg.Web.Key != "" {
		if _, err := tls.LoadX509KeyPair(s.cfg.Web.Cert, s.cfg.Web.Key); err != nil {
			errs = append(errs, fmt.Errorf("web.cert: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) preflightBus() error {
	c := s.cfg.Bus
	var errs []error
	if _, err := (tlsfiles.Client{CA: c.CA, Cert: c.Cert, Key: c.Key}).Config(); err != nil {
		errs = append(errs, fmt.Errorf("bus: %w", err))
	}
	for _, file := range []struct{ key, name, holds string }{
		{"bus.creds_file", c.Creds, "-----BEGIN NATS USER JWT-----"}, {"bus.nkey_file", c.NKey, "SU"},
	} {
		if file.name == "" {
			continue
		}
		data, err := os.ReadFile(file.name)
		if err == nil && !strings.Contains(string(data), file.holds) {
			err = fmt.Errorf("%s is no such file: it lacks %q", file.name, file.holds)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file.key, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) preflightPeople() error {
	var errs []error
	if _, err := s.senders(); err != nil {
		errs = append(errs, err)
	}
	if _, err := pager.ParseQuiet(s.cfg.Notify.Quiet); err != nil && s.cfg.Notify.Quiet != "" {
		errs = append(errs, fmt.Errorf("notify.quiet: %w", err))
	}
	for i, o := range s.cfg.Outputs {
		if _, err := s.sink(o); err != nil {
			errs = append(errs, fmt.Errorf("outputs[%d].%w", i, err))
		}
		if o.Token != "" {
			if _, err := secret(o.Token); err != nil {
				errs = append(errs, fmt.Errorf("outputs[%d].token_file: %w", i, err))
			}
		}
	}
	if s.cfg.Web.Listen == "" {
		return errors.Join(errs...)
	}
	if s.cfg.Web.Users != "" {
		if _, err := web.LoadUsers(s.cfg.Web.Users); err != nil {
			errs = append(errs, fmt.Errorf("web.users_file: %w", err))
		}
	}
	_, err := s.oidc()
	return errors.Join(append(errs, err)...)
}

// preflightRest tries guards, lists, artifacts and the addresses of sources.
func (s *Service) preflightRest() error {
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	_, err := s.policy()
	note(err)
	if len(s.cfg.Rules) > 0 {
		set, err := rules.Load(s.cfg.Rules...)
		note(err)
		if err == nil {
			note(s.preflightListSources(set.Source().Lists))
		}
	}
	for _, text := range s.cfg.Artifacts.Encrypt {
		if _, err := age.ParseX25519Recipient(text); err != nil {
			note(fmt.Errorf("artifacts.encrypt_to: %q: %w", text, err))
		}
	}
	for _, l := range []config.ListenSource{s.cfg.Sources.TCP, s.cfg.Sources.Syslog} {
		_, err := networks(l.From)
		note(err)
	}
	for _, server := range s.cfg.AllServers() {
		if server.AMQP.URL != "" {
			_, err := openAMQP(server.AMQP, server.Name, s.log)
			note(err)
		}
	}
	return errors.Join(errs...)
}

// Dangling lists unresolved references of rules and guards: scripts, secrets, people,
// rule files, and powers that no configured server has.
func Dangling(cfg config.Config) strictyaml.Problems {
	set, err := rules.Load(cfg.Rules...)
	if err != nil {
		return nil // Preflight says why
	}
	return DanglingIn(cfg, set)
}

// DanglingIn is Dangling for rules that are loaded already.
func DanglingIn(cfg config.Config, set *rules.Set) strictyaml.Problems {
	s := &Service{cfg: cfg, log: zerolog.Nop()}
	policy, err := s.policy()
	if err != nil {
		policy = &guard.Policy{}
	}
	return s.world().Check(set, policy)
}

// secretsThere are the names of secrets in this process's environment.
func secretsThere() []string {
	var names []string
	for _, kv := range os.Environ() {
		variable, _, _ := strings.Cut(kv, "=")
		if name, ours := strings.CutPrefix(variable, "EDRPIPE_SECRET_"); ours {
			names = append(names, strings.ReplaceAll(strings.ToLower(strings.TrimSuffix(name, "_FILE")), "_", "-"))
		}
	}
	return names
}

// world is what rules and guards of this configuration can name.
func (s *Service) world() references.World {
	w := references.World{
		Secret:     func(name string) error { _, err := namedSecret(name); return err },
		Secrets:    secretsThere(),
		Bound:      func(name string) []string { return s.cfg.Secrets[name].Hosts },
		People:     s.peopleNamed(),
		GuardsFile: s.cfg.Guards,
	}
	if s.cfg.Files != "" {
		w.Scripts = os.DirFS(s.cfg.Files)
	}
	for _, path := range s.cfg.Rules {
		if filepath.Ext(path) == "" {
			w.GuardedRoot = path
			break
		}
		w.GuardedRoot = filepath.Dir(path)
	}
	if len(s.members) > 0 || s.openEDR() == nil {
		w.Supports = s.supports
	}
	return w
}

// supports reports whether any configured server has a power. What sessions can do is
// known when one is open.
func (s *Service) supports(p edr.Power) bool {
	switch p {
	case edr.PowerIsolate, edr.PowerBan, edr.PowerClose, edr.PowerNote:
	default:
		return true
	}
	for _, m := range s.members {
		for _, has := range edr.PowersOf(m.EDR, nil) {
			if has == p {
				return true
			}
		}
	}
	return false
}

// peopleNamed are users and groups; nil where people come from elsewhere too.
func (s *Service) peopleNamed() []string {
	if s.cfg.Web.OIDCIssuer != "" {
		return nil
	}
	file := s.cfg.Web.Users
	if file == "" {
		file = filepath.Join(s.cfg.Data, "users.yaml")
	}
	u, err := web.LoadUsers(file)
	if err != nil {
		return []string{"admin"} // made at the first start
	}
	var names []string
	for _, user := range u.List {
		if user.Role.Allows(web.Approver) {
			names = append(append(names, user.Name), user.Groups...)
		}
	}
	return names
}
