package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"edrpipe/internal/console"
	"edrpipe/internal/web"
)

func (s *Service) openConsole(context.Context) error {
	s.console = console.New(console.Config{
		Bus: s.bus, Ingest: s.ingest, Fleet: s.fleet, Guard: s.guard, GuardsFile: s.cfg.Guards, Rules: s.rules,
		Artifacts: s.artifacts, Metrics: s.metrics, Checks: s.health, Version: s.version, Now: s.clock.Now,
		Quarantine: s.quarantine, Ledger: s.ledger, Doctor: s.tryConfiguration, Audit: s.audit, AuditStream: auditStore(s.bus), AuditKey: s.auditKey, VerifyAudit: s.verifyAudit, Log: s.log,
	})
	return nil
}

// openWeb opens the listener of dashboard, API, metrics and ingest.
func (s *Service) openWeb(context.Context) error {
	c := s.cfg.Web
	if c.Listen == "" {
		return nil
	}
	users, err := s.users()
	if err != nil {
		return err
	}
	s.usersFile = users
	conf := web.Config{
		Listen: c.Listen, Connections: c.Connections, PerAddress: c.PerAddress, Cert: c.Cert, Key: c.Key, Users: users, Routes: s.console.Routes(), Ready: s.health,
		Metrics: promhttp.HandlerFor(s.metrics.Registry, promhttp.HandlerOpts{}), Log: s.log,
	}
	if s.sources.http != nil {
		conf.Ingest = s.sources.http
	}
	if conf.OIDC, err = s.oidc(); err != nil {
		return err
	}
	s.web, err = web.Listen(conf)
	return err
}

// oidc is how people log in at their organisation; nil: not at all.
func (s *Service) oidc() (*web.OIDC, error) {
	c := s.cfg.Web
	if c.OIDCIssuer == "" {
		return nil, nil
	}
	if c.OIDCClient == "" || c.OIDCRedirect == "" {
		return nil, errors.New("web.oidc_issuer needs web.oidc_client_id and web.oidc_redirect")
	}
	o := &web.OIDC{Issuer: c.OIDCIssuer, Client: c.OIDCClient, Redirect: c.OIDCRedirect}
	if err := readPassword(c.OIDCSecret, &o.Secret); err != nil {
		return nil, fmt.Errorf("web.oidc_secret_file: %w", err)
	}
	return o, nil
}

func (s *Service) users() (*web.UsersFile, error) {
	if s.cfg.Web.Users != "" {
		return web.OpenUsers(s.cfg.Web.Users, s.log)
	}
	return web.FirstUsers(s.cfg.Data, s.log)
}

// URL is where the web listener answers; empty when there is none.
func (s *Service) URL() string {
	if s.web == nil {
		return ""
	}
	return s.web.URL()
}
