package service

import (
	"context"
	"math"
	"time"

	"edrpipe/internal/console"
	"edrpipe/internal/health"
	"edrpipe/pkg/bus"
)

// gauges keeps the metrics current that are read rather than counted.
func (s *Service) gauges(ctx context.Context) {
	tick := time.NewTicker(console.SampleEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		s.console.Sample(time.Now(), n)
		s.readBreakers(ctx)
		s.readTold(ctx)
		s.metrics.Health(s.health(ctx))
		st := s.fleet.Stats()
		s.metrics.Live.Reset()
		for state, n := range st.Jobs {
			s.metrics.Live.WithLabelValues(string(state)).Set(float64(n))
		}
		s.servers()
		s.metrics.Records.Set(float64(s.records.Shares.Records()))
		s.metrics.RecordsLimit.Set(float64(s.records.Shares.Limits().Records))
		s.metrics.CanaryAge.Set(s.canaryAge())
		s.metrics.BusUp.Set(0)
		if s.bus.Connected() {
			s.metrics.BusUp.Set(1)
		}
		s.backlog(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// servers keeps the metrics of each EDR server.
func (s *Service) servers() {
	for _, m := range s.fleet.Members() {
		st, up := m.Scheduler.Stats(), 0.0
		if state := m.Status().State; state == health.OK || state == health.Degraded {
			up = 1
		}
		s.metrics.ServerUp.WithLabelValues(m.Name).Set(up)
		s.metrics.Slots.WithLabelValues(m.Name).Set(float64(st.Slots))
		s.metrics.SlotLimit.WithLabelValues(m.Name).Set(float64(st.Limit))
		s.metrics.Foreign.WithLabelValues(m.Name).Set(float64(st.Foreign))
	}
}

// canaryAge is the seconds since a canary passed this replica; NaN: none did.
func (s *Service) canaryAge() float64 {
	if s.canary != nil {
		if age, ok := s.canary.Age(); ok {
			return age.Seconds()
		}
	}
	return math.NaN()
}

// backlog reads the number of waiting events from the bus. An unknown number is NaN: 0
// would mean that no event waits.
func (s *Service) backlog(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, console.SampleEvery)
	defer cancel()
	waiting, unacknowledged, redelivered, dead := math.NaN(), math.NaN(), math.NaN(), math.NaN()
	if s.bus.Connected() {
		if c, err := s.bus.JetStream().Consumer(ctx, bus.StreamEvents, s.cfg.Sources.NATS.Consumer); err == nil {
			info := c.CachedInfo()
			read, unsettled := s.sources.above()
			waiting, unacknowledged, redelivered = max(0, float64(info.NumPending)-float64(read)), float64(info.NumAckPending+unsettled), float64(info.NumRedelivered)
		}
		if letters, err := s.bus.JetStream().Stream(ctx, bus.StreamDead); err == nil {
			dead = float64(letters.CachedInfo().State.Msgs)
			if err := s.readDead(ctx, letters); err != nil {
				s.log.Debug().Err(err).Msg("dead letters are not read; tried again")
			}
		}
	}
	s.metrics.Lag.Set(waiting)
	s.metrics.Unacknowledged.Set(unacknowledged)
	s.metrics.Redelivered.Set(redelivered)
	s.metrics.DeadLetters.Set(dead)
}
