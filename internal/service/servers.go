package service

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"edrpipe/internal/config"
	"edrpipe/internal/fleet"
	"edrpipe/internal/kinds"
	"edrpipe/pkg/binaries"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/directory"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/natsstore"
	"edrpipe/pkg/seal"
)

// openServers makes what belongs to each EDR server, with what was kept of its endpoints.
func (s *Service) openServers(ctx context.Context) (err error) {
	if s.kept, err = s.control(ctx); err != nil {
		return err
	}
	if err := s.openEDR(); err != nil {
		return err
	}
	for _, m := range s.members {
		err := m.Directory.Load(ctx)
		switch {
		case errors.Is(err, seal.ErrForeign):
			s.log.Error().Err(err).Str("server", m.Name).Msg("some types of endpoints that events had said do not verify; they are unknown until events say them again")
		case err != nil:
			return err
		}
	}
	return nil
}

// openEDR makes the clients of the EDR servers. They do not connect: a server that is
// down now only makes its jobs wait.
func (s *Service) openEDR() error {
	s.endpointsChanged = modified(s.cfg.Endpoints)
	book, err := s.book()
	if err != nil {
		return err
	}
	for _, c := range s.cfg.AllServers() {
		client, err := kinds.Open(c, &s.shared, s.log)
		if err != nil {
			return err
		}
		d := directory.New(directory.Config{Server: client, Tenant: c.Tenant, Store: s.kept, Changed: s.factsChanged, Now: s.clock.Now, Log: s.log})
		d.Use(book)
		m := fleet.NewMember(c.Name, c.Tenant, c.Accepts(), client, d)
		m.Kind = c.Kind
		s.members = append(s.members, m)
	}
	s.binaries = s.rememberBinaries()
	return nil
}

// rememberBinaries makes the memory of binaries, which requests from the servers that
// have their metadata.
func (s *Service) rememberBinaries() *binaries.Store {
	c := binaries.Config{Readers: map[string]edr.BinaryReader{}, Changed: s.factsChanged, Now: s.clock.Now, Logger: s.log}
	if s.bus != nil {
		c.Log = bus.Binaries{Bus: s.bus}
	}
	for _, m := range s.members {
		if r, err := edr.As[edr.BinaryReader](m.EDR); err == nil {
			c.Readers[m.Name] = r
		}
	}
	return binaries.New(c)
}

// tenantOf is the label of a configured server.
func (s *Service) tenantOf(server string) string {
	for _, m := range s.members {
		if m.Name == server {
			return m.Tenant
		}
	}
	return ""
}

// openJobs makes a scheduler for each server on the stored records of all.
func (s *Service) openJobs(ctx context.Context) error {
	store, err := natsstore.Open(ctx, s.bus.JetStream(), bus.BucketJobs, bus.BucketFinished, s.seal)
	if err != nil {
		return err
	}
	control, err := s.bus.Bucket(ctx, bus.BucketControl)
	if err != nil {
		return err
	}
	s.ledger = ledger{records{guard.KV{Bucket: control}}}
	for i, c := range s.cfg.AllServers() {
		conf := s.jobsConfig(c)
		conf.Down = s.members[i].Down
		conf.Server, conf.Store, conf.Table = s.members[i].EDR, store, natsstore.Table{Bucket: control, Server: c.Name}
		if s.members[i].Scheduler, err = jobs.New(conf); err != nil {
			return err
		}
	}
	former, err := s.openFormer(ctx, guard.KV{Bucket: control}, store)
	if err != nil {
		return err
	}
	s.fleet, err = fleet.New(fleet.Config{
		Members: s.members, Former: former, Store: store, Other: func(name string) { s.metrics.OtherServer.WithLabelValues(name).Inc() }, Now: s.clock.Now, Log: s.log,
	})
	return err
}

// jobsConfig is what the scheduler of a server is made of, but for where its records
// are.
func (s *Service) jobsConfig(c config.Server) jobs.Config {
	j := s.cfg.Jobs
	return jobs.Config{
		Owner: s.owner, Lists: liveLists{s.rules}, Now: s.clock.Now, HostMismatch: jobs.HostMismatch(c.HostMismatch),
		Sessions: c.Sessions - c.Reserve, Idle: kinds.Idle(c.Kind), Poll: c.SensorPoll, Wait: j.Offline, Grace: s.cfg.Grace, Beat: j.TakeOver / 5,
		Facts: s.facts, Prepare: s.prepare, Admit: gate{s.guard, s.rules, s.audit}.admit, Stopped: func() error { return s.guard.Stopped(guard.Area{Server: c.Name, Tenant: c.Tenant}) }, Report: s.report, Commanded: s.commanded, Log: s.log,
	}
}

// accessEvery is how often the files with secrets and certificates of servers are looked
// at.
const accessEvery = 2 * time.Second

// watchServerFiles has clients take changed tokens and certificates.
func (s *Service) watchServerFiles(ctx context.Context) {
	all := s.cfg.AllServers()
	seen := make([]string, len(all))
	for i, c := range all {
		seen[i] = fingerprint(kinds.Files(c))
	}
	tick := time.NewTicker(accessEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for i, c := range all {
			now := fingerprint(kinds.Files(c))
			if now == "" || now == seen[i] {
				continue // a file is gone for a moment, while it is being replaced
			}
			seen[i] = now
			err := kinds.Renew(c, s.members[i].EDR)
			s.credentials.note(c.Name, err)
			if err != nil {
				s.log.Error().Err(err).Msg("a changed token or certificate cannot be used; the one from before stays")
				continue
			}
			s.log.Info().Str("server", c.Name).Msg("a changed token or certificate is in use")
			s.members[i].Probe()
		}
	}
}

// fingerprint tells versions of files apart; "" while one cannot be read.
func fingerprint(files []string) string {
	var all strings.Builder
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return ""
		}
		fmt.Fprintf(&all, "%x ", sha256.Sum256(data))
	}
	return all.String()
}
