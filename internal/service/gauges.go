package service

import (
	"context"
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
		s.metrics.Health(s.health(ctx))
		st := s.fleet.Stats()
		s.metrics.Live.Reset()
		for state, n := range st.Jobs {
			s.metrics.Live.WithLabelValues(string(state)).Set(float64(n))
		}
		s.servers()
		s.metrics.BusUp.Set(0)
		if s.bus.Connected() {
			s.metrics.BusUp.Set(1)
			s.backlog(ctx)
		}
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

// backlog asks the bus what waits on it. A question without an answer leaves the
// numbers as they are.
func (s *Service) backlog(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, console.SampleEvery)
	defer cancel()
	if c, err := s.bus.JetStream().Consumer(ctx, bus.StreamEvents, s.cfg.Sources.NATS.Consumer); err == nil {
		info := c.CachedInfo()
		read, unsettled := s.sources.above()
		s.metrics.Lag.Set(max(0, float64(info.NumPending)-float64(read)))
		s.metrics.Unacknowledged.Set(float64(info.NumAckPending + unsettled))
		s.metrics.Redelivered.Set(float64(info.NumRedelivered))
	}
	if dead, err := s.bus.JetStream().Stream(ctx, bus.StreamDead); err == nil {
		s.metrics.DeadLetters.Set(float64(dead.CachedInfo().State.Msgs))
	}
}
