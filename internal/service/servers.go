package service

import (
	"context"

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
		s.members = append(s.members, &fleet.Member{Name: c.Name, Tenant: c.Tenant, Accept: c.Accepts(), EDR: client, Directory: d})
	}
	return nil
}

// openJobs makes a scheduler for each server on the stored records of all.
func (s *Service) openJobs(ctx context.Context) error {
	store, err := natsstore.Open(ctx, s.bus.JetStream(), bus.BucketJobs, bus.BucketFinished)
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
		conf.Server, conf.Store, conf.Table = s.members[i].EDR, store, natsstore.Table{Bucket: control, Server: c.Name}
		if s.members[i].Scheduler, err = jobs.New(conf); err != nil {
			return err
		}
	}
	s.fleet, err = fleet.New(fleet.Config{Members: s.members, Store: store, Other: func(name string) { s.metrics.OtherServer.WithLabelValues(name).Inc() }})
	return err
}

// jobsConfig is what the scheduler of a server is made of, but for where its records
// are.
func (s *Service) jobsConfig(c config.Server) jobs.Config {
	j := s.cfg.Jobs
	return jobs.Config{
		Owner: s.owner, Lists: liveLists{s.rules}, Now: s.clock.Now, HostMismatch: jobs.HostMismatch(c.HostMismatch),
		Sessions: c.Sessions - c.Reserve, Turn: j.Turn, Linger: j.Linger, Poll: c.SensorPoll, Wait: j.Offline, Grace: s.cfg.Grace, Beat: j.TakeOver / 5,
		Facts: s.facts, Prepare: s.prepare, Admit: gate{s.guard, s.rules, s.audit}.admit, Stopped: s.guard.Stopped, Report: s.report, Commanded: s.commanded, Log: s.log,
	}
}
