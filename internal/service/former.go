package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"edrpipe/internal/config"
	"edrpipe/internal/fleet"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/natsstore"
	"edrpipe/pkg/seal"
)

// serversKey is the record of the names of servers that were ever configured.
const serversKey = "servers.names"

// openFormer makes a scheduler for each server that was configured once and is not now:
// its jobs are not forgotten.
func (s *Service) openFormer(ctx context.Context, kv guard.KV, store *natsstore.Store) (former []*fleet.Member, err error) {
	names, err := formerNames(ctx, kv, s.fleetNames())
	if errors.Is(err, seal.ErrForeign) {
		s.log.Error().Err(err).Msg("which servers were configured before is not known: jobs of servers that are not configured any more are not listed")
		return nil, nil
	}
	for _, name := range names {
		m := fleet.NewFormer(name)
		conf := s.jobsConfig(config.Server{Name: name, Sessions: 1})
		conf.Server, conf.Store, conf.Table = m.EDR, store, new(jobs.MemoryTable)
		conf.Down = func() string { return fleet.FormerDown(name) }
		if m.Scheduler, err = jobs.New(conf); err != nil {
			return nil, err
		}
		former = append(former, m)
	}
	return former, err
}

func (s *Service) fleetNames() (names []string) {
	for _, m := range s.members {
		names = append(names, m.Name)
	}
	return names
}

// formerNames records the configured names and returns those of before that are not
// among them.
func formerNames(ctx context.Context, kv guard.KV, configured []string) (former []string, err error) {
	for range recordAttempts {
		var names []string
		text, revision, err := kv.Get(ctx, serversKey)
		if err != nil {
			return nil, err
		}
		if len(text) > 0 {
			if names, err = decodeNames(text); err != nil {
				return nil, kv.Refuse(serversKey, revision, err)
			}
		}
		all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(names, configured))))
		if slices.Equal(all, names) {
			return slices.DeleteFunc(all, func(name string) bool { return slices.Contains(configured, name) }), nil
		}
		after, err := json.Marshal(all)
		if err != nil {
			return nil, err
		}
		if err := kv.Put(ctx, serversKey, after, revision); err != nil && !errors.Is(err, guard.ErrConflict) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("record %s: %w, %d times", serversKey, guard.ErrConflict, recordAttempts)
}

// decodeNames reads the record of the names of servers.
func decodeNames(record []byte) (names []string, err error) {
	err = seal.Strict(record, &names)
	return names, err
}
