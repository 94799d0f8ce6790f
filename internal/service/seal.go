package service

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"edrpipe/internal/buswatch"
	"edrpipe/internal/health"
	"edrpipe/internal/quarantine"
	"edrpipe/internal/secretfiles"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/seal"
)

// openSeal reads the key of the records that replicas share, or makes it.
func (s *Service) openSeal(context.Context) error {
	secret, made, err := secretfiles.Key(s.cfg.StateKey(), s.cfg.State == "")
	if err != nil {
		return fmt.Errorf("state_key_file: %w", err)
	}
	key, err := seal.NewKey(secret)
	if err != nil {
		return fmt.Errorf("state_key_file %s: %w", s.cfg.StateKey(), err)
	}
	s.sealNew = made
	s.seal = seal.NewKeeper(key, func(f seal.Foreign) {
		s.log.Error().Str("bucket", f.Bucket).Str("key", f.Key).Uint64("revision", f.Revision).Str("why", f.Why).
			Msg("a record does not verify: it is in quarantine, and what depends on it is held; see pipeline state quarantine")
	})
	return nil
}

// meetBus compares the key with the records on the bus.
func (s *Service) meetBus(ctx context.Context) error {
	s.quarantine = &quarantine.Quarantine{
		Bus: s.bus, Keeper: s.seal, Log: s.log, Dropped: s.dropped, Adopted: s.adopted,
		Count: func(bucket string, n int) { s.metrics.Quarantined.WithLabelValues(bucket).Set(float64(n)) },
	}
	return s.quarantine.Meet(ctx, s.cfg.Data, s.sealNew)
}

// adopted writes into the audit log that records without a seal were taken over.
func (s *Service) adopted(ctx context.Context, bucket string, sealed, left int) error {
	data, err := json.Marshal(bucket)
	if err != nil {
		return err
	}
	return s.audit.Append(ctx, audit.Entry{
		Time: s.clock.Now(), Kind: "switch", By: "service", What: "adopt", Data: data,
		Text: fmt.Sprintf("%d records of bucket %s that a version before wrote without a seal are sealed with key %s, this once; %d more are no records and stay in quarantine", sealed, bucket, s.seal.Key().ID(), left),
	})
}

// dropped ends a job whose record was dropped as unknown: what ran of it is not known.
func (s *Service) dropped(ctx context.Context, bucket, _ string) {
	if bucket == bus.BucketJobs {
		buswatch.FindLost(ctx, s.bus, s.fleet, s.log)
	}
}

// mayTake blocks while no new event may be taken: the disk is full, or the records of
// the bus are sealed with another key, and others could not read what is made here.
func (s *Service) mayTake(ctx context.Context) error {
	for {
		if err := s.watch.Disk.Wait(ctx); err != nil {
			return err
		}
		if !s.quarantine.Strange() {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}

// recordsHealth checks that every record which was read verifies. A service whose own key
// does not fit its bus takes no events, and is not ready.
func (s *Service) recordsHealth() health.Check {
	foreign := s.seal.Foreign()
	if len(foreign) == 0 {
		return health.Good("records", "").Need()
	}
	check := health.Bad("records", health.Failed, "look with pipeline state quarantine list, and drop or restore each",
		"%d in quarantine, what depends on them is held: %s", len(foreign), foreign[0].Error())
	if s.quarantine.Strange() {
		check = check.Need()
	}
	return check
}
