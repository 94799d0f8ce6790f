package service

import (
	"context"
	"errors"
	"slices"

	"edrpipe/internal/buswatch"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/guard"
)

// lostControl is why everything is stopped after the bucket of switches was lost.
const lostControl = "bucket control was deleted: stops, silences, budgets, suppressions and approvals in it are lost. Set again what is to hold, then resume"

// repaired is called when a stream was made again or set back while the service runs.
// What cannot be known any more is taken for forbidden.
func (s *Service) repaired(ctx context.Context, c bus.Change) {
	if !c.Made {
		return
	}
	switch c.Stream {
	case "KV_" + bus.BucketControl:
		if err := s.guard.Stop(ctx, guard.Area{}, "edrpipe", lostControl); err != nil {
			s.log.Error().Err(err).Msg("the stop after the loss of bucket control cannot be written: see pipeline stop")
		}
	case "KV_" + bus.BucketJobs:
		buswatch.FindLost(ctx, s.bus, s.fleet, s.log)
	case bus.StreamAudit:
		err := errors.New("stream AUDIT was deleted while the service ran, and is a new, empty one")
		s.auditState.damage.Store(&err)
	}
}

// lostBefore stops everything when the bucket of switches was missing at the start
// though the service has run on this bus before.
func (s *Service) lostBefore(ctx context.Context) error {
	control := func(c bus.Change) bool { return c.Made && c.Stream == "KV_"+bus.BucketControl }
	if !slices.ContainsFunc(s.made, control) {
		return nil
	}
	stream, err := s.bus.JetStream().Stream(ctx, bus.StreamAudit)
	if err != nil || stream.CachedInfo().State.LastSeq == 0 { // nothing was ever done here
		return err
	}
	return s.guard.Stop(ctx, guard.Area{}, "edrpipe", lostControl)
}
