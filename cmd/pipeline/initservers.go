package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"edrpipe/internal/config"
	"edrpipe/internal/nearest"
	"edrpipe/internal/setup"
)

// serverKeys are what --edr takes after the address.
var serverKeys = []string{"kind", "token_file", "ca", "pin", "org_key", "tenant", "amqp", "amqp_password_file", "amqp_ca"}

// parseServer reads NAME=URL,KEY=VALUE…, and the files that it names.
func parseServer(text string) (setup.Server, error) {
	parts := strings.Split(text, ",")
	var s setup.Server
	var named bool
	if s.Name, s.URL, named = strings.Cut(parts[0], "="); !named {
		return s, fmt.Errorf("--edr %q is not of the form NAME=https://HOST,token_file=FILE", text)
	}
	given := map[string]string{}
	for _, p := range parts[1:] {
		key, value, ok := strings.Cut(p, "=")
		switch {
		case !ok || value == "":
			return s, fmt.Errorf("--edr %s: %q is not of the form KEY=VALUE", s.Name, p)
		case !slices.Contains(serverKeys, key):
			return s, fmt.Errorf("--edr %s: there is no key %q: %s", s.Name, key, nearestOf(key, serverKeys))
		case given[key] != "":
			return s, fmt.Errorf("--edr %s: %s is there twice", s.Name, key)
		}
		given[key] = value
	}
	s.Kind, s.Pin, s.OrgKey, s.Tenant, s.AMQP.URL = given["kind"], given["pin"], given["org_key"], given["tenant"], given["amqp"]
	if err := checkKind(&s); err != nil {
		return s, err
	}
	return s, readServer(&s, given)
}

func nearestOf(word string, all []string) string {
	if near := nearest.Word(word, all); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "write one of " + strings.Join(all, ", ")
}

// checkKind refuses what does not go with the kind of server.
func checkKind(s *setup.Server) error {
	switch {
	case s.Kind != "" && !slices.Contains(config.KindNames(), s.Kind):
		return fmt.Errorf("--edr %s: %q is no kind of server: %s", s.Name, s.Kind, nearestOf(s.Kind, config.KindNames()))
	case s.Kind == "" || s.Kind == config.DefaultKind:
		s.Kind = ""
		if s.OrgKey != "" {
			return fmt.Errorf("--edr %s: org_key is of another kind of server: add kind=carbonblack-cloud", s.Name)
		}
	case s.OrgKey == "":
		return fmt.Errorf("--edr %s: a server of kind %s needs org_key, which its console shows under API Access", s.Name, s.Kind)
	case s.AMQP.URL != "":
		return fmt.Errorf("--edr %s: a server of kind %s has no RabbitMQ: remove amqp", s.Name, s.Kind)
	}
	return nil
}

// readServer reads the files that --edr names.
func readServer(s *setup.Server, given map[string]string) error {
	for _, f := range []struct {
		key  string
		into *string
	}{{"token_file", &s.Token}, {"amqp_password_file", &s.AMQP.Password}} {
		text, err := secretFile(given[f.key], f.key)
		if err != nil {
			return fmt.Errorf("--edr %s: %w", s.Name, err)
		}
		*f.into = text
	}
	if s.Token == "" {
		return &usageError{fmt.Errorf("--edr %s: no API token: add token_file=FILE", s.Name)}
	}
	for _, f := range []struct {
		key  string
		into *[]byte
	}{{"ca", &s.CA}, {"amqp_ca", &s.AMQP.CA}} {
		if given[f.key] == "" {
			continue
		}
		data, err := os.ReadFile(given[f.key])
		if err != nil {
			return fmt.Errorf("--edr %s: %s: %w", s.Name, f.key, err)
		}
		*f.into = data
	}
	return nil
}
