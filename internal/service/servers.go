package service

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"time"

	"edrpipe/internal/config"
	"edrpipe/internal/fleet"
	"edrpipe/internal/kinds"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/directory"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/natsstore"
)

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
		d := directory.New(directory.Config{Server: client, Tenant: c.Tenant, Changed: s.factsChanged, Now: s.clock.Now, Log: s.log})
		d.Use(book)
		s.members = append(s.members, fleet.NewMember(c.Name, c.Tenant, c.Accepts(), client, d))
	}
	return nil
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
	s.ledger = ledger{guard.KV{Bucket: control}}
	for i, c := range s.cfg.AllServers() {
		conf := s.jobsConfig(c)
		conf.Down = s.members[i].Down
		conf.Server, conf.Store, conf.Table = s.members[i].EDR, store, natsstore.Table{Bucket: control, Server: c.Name}
		if s.members[i].Scheduler, err = jobs.New(conf); err != nil {
			return err
		}
	}
	s.fleet, err = fleet.New(fleet.Config{
		Members: s.members, Store: store, Other: func(name string) { s.metrics.OtherServer.WithLabelValues(name).Inc() }, Now: s.clock.Now, Log: s.log,
	})
	return err
}

// jobsConfig is what the scheduler of a server is made of, but for where its records
// are.
func (s *Service) jobsConfig(c config.Server) jobs.Config {
	j := s.cfg.Jobs
	return jobs.Config{
		Owner: s.owner, Lists: liveLists{s.rules}, Now: s.clock.Now, HostMismatch: jobs.HostMismatch(c.HostMismatch),
		Sessions: c.Sessions - c.Reserve, Poll: c.SensorPoll, Wait: j.Offline, Grace: s.cfg.Grace, Beat: j.TakeOver / 5,
		Facts: s.facts, Prepare: s.prepare, Admit: gate{s.guard, s.rules, s.audit}.admit, Stopped: s.guard.Stopped, Report: s.report, Commanded: s.commanded, Log: s.log,
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
			if err := kinds.Renew(c, s.members[i].EDR); err != nil {
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
