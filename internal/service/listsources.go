package service

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"edrpipe/internal/config"
	"edrpipe/internal/health"
	"edrpipe/internal/listsource"
	"edrpipe/pkg/actions"
	"edrpipe/rules"
	"edrpipe/rules/list"
)

// openListSources reads the kept lists of the sources that the configuration names.
func (s *Service) openListSources(shrink float64) error {
	for _, c := range s.cfg.ListSources {
		conf := listsource.Config{
			Name: c.Name, URL: c.URL, ChecksumURL: c.Checksum, Format: c.Format, Column: c.Column, Every: c.Every, MaxAge: c.MaxAge,
			MaxBytes: int64(c.MaxBytes), MaxEntries: c.Entries, Shrink: shrink, Dir: filepath.Join(s.cfg.Data, "lists"), Client: s.http,
			Kind: func() (list.Kind, bool) { return s.kindOfList(c.Name) }, Now: s.clock.Now, Log: s.log,
			Taken:   func() []string { return s.takenByList(c.Name) },
			Changed: func() { _ = s.rules.Live.Reload() }, // its state says what is wrong
		}
		if c.Token != "" {
			conf.Token = func() (string, error) { return secret(c.Token) }
		}
		s.listSources = append(s.listSources, listsource.Open(conf))
	}
	return nil
}

func (s *Service) kindOfList(name string) (list.Kind, bool) {
	found, ok := s.rules.Live.Set().Source().Lists.List(name)
	if !ok {
		return "", false
	}
	return found.Kind, true
}

// takenByList are the values from elsewhere that a list in force has.
func (s *Service) takenByList(name string) []string {
	found, ok := s.rules.Live.Set().Source().Lists.List(name)
	if !ok {
		return nil
	}
	return found.Given()
}

// listValues are the values of all sources, by the names of lists.
func (s *Service) listValues() map[string][]string {
	all := map[string][]string{}
	for _, l := range s.listSources {
		all[l.Name()] = l.Values()
	}
	return all
}

// preflightListSources finds sources of lists that the rules do not have, that egress
// does not let through, or whose token is missing.
func (s *Service) preflightListSources(have *rules.Lists) error {
	var errs []error
	for i, c := range s.cfg.ListSources {
		bad := func(key, format string, args ...any) {
			errs = append(errs, fmt.Errorf("list_sources[%d].%s: "+format, append([]any{i, key}, args...)...))
		}
		if _, ok := have.List(c.Name); !ok {
			bad("name", "there is no list %s beside the rules: write lists/%s.txt with # type: and # empty: ok at its top", c.Name, c.Name)
		}
		for key, address := range map[string]string{"url": c.URL, "checksum_url": c.Checksum} {
			if host, ok := mayFetch(s.cfg.Egress, address); !ok {
				bad(key, "%s is not in egress.hosts: add it", host)
			}
		}
		if c.Token != "" {
			if _, err := secret(c.Token); err != nil {
				bad("token_file", "%w", err)
			}
		}
	}
	return errors.Join(errs...)
}

// mayFetch reports whether egress.hosts has the host of an address.
func mayFetch(e config.Egress, address string) (host string, ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		return address, false
	}
	return u.Hostname(), address == "" || len(e.Hosts) == 0 || actions.HostIn(e.Hosts, u.Hostname())
}

// listsHealth names the lists whose newest file is not in force, and those whose server
// does not renew them.
func (s *Service) listsHealth() health.Check {
	var states []listsource.State
	for _, l := range s.listSources {
		states = append(states, l.State())
	}
	return withSources(s.listFilesHealth(), states)
}

// withSources adds the sources to the check of the files. Where several things are wrong,
// each stands with its own cure, as one for all would be wrong for the others.
func withSources(check health.Check, states []listsource.State) health.Check {
	var good []string
	var bad []listsource.State
	if check.State != health.OK {
		bad = append(bad, listsource.State{Evidence: check.Evidence, Since: check.Since, Cure: check.Cure})
	}
	for _, st := range states {
		if st.Failing {
			bad = append(bad, st)
		} else {
			good = append(good, st.Evidence)
		}
	}
	if len(bad) == 0 {
		return health.Good("lists", strings.Join(good, "; "))
	}
	var texts []string
	since, cure := bad[0].Since, bad[0].Cure
	for _, st := range bad {
		if st.Since.Before(since) {
			since = st.Since
		}
		if len(bad) > 1 {
			st.Evidence += " (" + st.Cure + ")"
			cure = "the evidence says what to do for each list"
		}
		texts = append(texts, st.Evidence)
	}
	check = health.Bad("lists", health.Degraded, cure, "")
	check.Since, check.Evidence = since, strings.Join(append(texts, good...), "; ")
	return check
}

// listFilesHealth names the lists whose newest file is not in force.
func (s *Service) listFilesHealth() health.Check {
	rejected := s.rules.Live.State().Rejected
	if rejected == nil {
		return health.Good("lists", "")
	}
	var text []string
	for _, p := range rejected.Problems {
		if filepath.Base(filepath.Dir(p.File)) == listsDirectory {
			text = append(text, p.String())
		}
	}
	if len(text) == 0 {
		return health.Good("lists", "")
	}
	check := health.Bad("lists", health.Degraded, "mend the files: pipeline rules check names each mistake; where a list is meant to be so much shorter, raise lists.max_shrink or restart", "the newest lists are not in force, those from before are: %s", strings.Join(text, "; "))
	check.Since = rejected.At
	return check
}
