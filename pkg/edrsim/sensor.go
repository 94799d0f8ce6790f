package edrsim

import (
	"fmt"
	"slices"
	"time"
)

// A sensor is the server's record of an installed agent, with its simulated computer.
type sensor struct {
	id       int
	spec     *SensorSpec
	hostname string
	ip       string
	seed     uint64
	booted   time.Time

	interval    time.Duration
	power       powerState
	lastCheckIn time.Time
	nextCheckIn time.Time // zero: off, with no scheduled return

	isolate       bool // requested
	isolating     bool // done, since the last check-in
	restartQueued bool
	uninstall     bool
	groupID       int
	notes         *string
	flushTime     *string
	registered    time.Time

	live     []*session // pending and active ones
	endpoint *endpoint  // made when first needed
}

// powerState is whether a sensor runs: by its schedule, or as set through the control API.
type powerState struct {
	Power
	start  time.Time
	manual bool
	on     bool
}

func (p *powerState) up(t time.Time) bool {
	if p.manual {
		return p.on
	}
	d := t.Sub(p.start) - p.AsleepUntil
	switch {
	case d < 0:
		return false
	case p.AwakeFor == 0:
		return true
	case p.AsleepFor == 0:
		return d < p.AwakeFor
	default:
		return d%(p.AwakeFor+p.AsleepFor) < p.AwakeFor
	}
}

// change is when the state at t ends; false when it never does.
func (p *powerState) change(t time.Time) (time.Time, bool) {
	if p.manual {
		return time.Time{}, false
	}
	first := p.start.Add(p.AsleepUntil)
	d := t.Sub(first)
	cycle := p.AwakeFor + p.AsleepFor
	switch {
	case d < 0:
		return first, true
	case p.AwakeFor == 0 || p.AsleepFor == 0 && d >= p.AwakeFor:
		return time.Time{}, false
	case p.AsleepFor == 0 || d%cycle < p.AwakeFor:
		return first.Add(d - d%cycle + p.AwakeFor), true
	default:
		return first.Add(d - d%cycle + cycle), true
	}
}

// newSensor installs a sensor at the beginning of the simulation.
func newSensor(id int, spec *SensorSpec, cfg *Config) *sensor {
	s := &sensor{
		id: id, spec: spec, hostname: spec.hostname(id), ip: spec.ip(id), seed: mix(cfg.Seed, uint64(id)),
		interval: cfg.CheckIn, power: powerState{Power: spec.Power, start: cfg.Start}, groupID: max(spec.GroupID, 1),
	}
	if spec.CheckIn > 0 {
		s.interval = spec.CheckIn
	}
	s.registered = cfg.Start.Add(-30*24*time.Hour - spread(mix(s.seed, 1), 300*24*time.Hour))
	s.booted = cfg.Start.Add(-time.Hour - spread(mix(s.seed, 2), 20*24*time.Hour))
	since := spread(mix(s.seed, 3), s.interval)
	s.lastCheckIn = cfg.Start.Add(-since)
	s.nextCheckIn = cfg.Start.Add(s.interval - since)
	if !s.power.up(cfg.Start) {
		s.lastCheckIn = cfg.Start.Add(-time.Hour - since)
		s.nextCheckIn = s.wakes(cfg.Start)
	}
	return s
}

func (s *sensor) os() string {
	if s.spec.OS == "" {
		return osWindows
	}
	return s.spec.OS
}

func (s *sensor) windows() bool { return s.os() == osWindows }

// computer is the endpoint behind the sensor at a time.
func (s *sensor) computer(now time.Time) *endpoint {
	if s.endpoint == nil {
		s.endpoint = newEndpoint(s, now)
	}
	s.endpoint.catchUp(now)
	return s.endpoint
}

// wakes is the first check-in after a sensor that is off at t comes back; zero if
// it does not.
func (s *sensor) wakes(t time.Time) time.Time {
	if s.power.up(t) {
		return t
	}
	on, ok := s.power.change(t)
	if !ok {
		return time.Time{}
	}
	delay := s.bootDelay()
	if s.power.AwakeFor > 0 { // it must still be up then
		delay = min(delay, s.power.AwakeFor/2)
	}
	return on.Add(delay)
}

// bootDelay is how long after power-on a sensor first reports.
func (s *sensor) bootDelay() time.Duration {
	return spread(mix(s.seed, 4), min(s.interval, 10*time.Second))
}

// advance plays the check-ins up to now.
func (s *sensor) advance(now time.Time) {
	for !s.nextCheckIn.IsZero() && !s.nextCheckIn.After(now) {
		at := s.nextCheckIn
		if !s.power.up(at) {
			s.nextCheckIn = s.wakes(at)
			continue
		}
		s.checkIn(at)
		s.nextCheckIn = s.skipQuiet(at.Add(s.jittered(at)), now)
	}
}

// checkIn is the moment at which the sensor does what the server has in store.
func (s *sensor) checkIn(at time.Time) {
	s.lastCheckIn = at
	s.isolating = s.isolate
	if s.restartQueued {
		s.restartQueued = false
		for _, x := range slices.Clone(s.live) {
			x.losePower(at)
		}
		s.boot(at)
	}
	for _, x := range s.live {
		x.connect(at)
	}
}

// jittered is the interval to the next check-in, varied by a tenth.
func (s *sensor) jittered(at time.Time) time.Duration {
	f := 0.9 + 0.2*fraction(mix(s.seed, uint64(at.UnixNano())))
	return max(time.Duration(f*float64(s.interval)), time.Millisecond)
}

// skipQuiet skips check-ins without effect, so that a long idle time is cheap: whole
// turns of the power schedule, and then all but the last before now or before the
// sensor falls asleep.
func (s *sensor) skipQuiet(next, now time.Time) time.Time {
	p := &s.power
	if cycle := p.AwakeFor + p.AsleepFor; !p.manual && p.AwakeFor > 0 && p.AsleepFor > 0 {
		if n := now.Sub(next)/cycle - 1; n > 0 {
			next = next.Add(n * cycle)
		}
	}
	until := now
	if off, ok := p.change(next); ok && off.Before(now) {
		until = off
	}
	if n := until.Sub(next) / s.interval; n > 2 && p.up(next) {
		return next.Add((n - 1) * s.interval)
	}
	return next
}

// setPower switches the sensor by hand; its schedule counts no more.
func (s *sensor) setPower(on bool, now time.Time) {
	wasUp := s.power.up(now)
	s.power.manual, s.power.on = true, on
	switch {
	case !on:
		s.nextCheckIn = time.Time{}
		for _, x := range slices.Clone(s.live) {
			x.losePower(now)
		}
	case !wasUp || s.nextCheckIn.IsZero():
		s.boot(now)
		s.nextCheckIn = now.Add(s.bootDelay())
	}
}

// boot starts the computer anew: files and registry stay, processes do not.
func (s *sensor) boot(at time.Time) {
	s.booted = at
	if s.endpoint != nil {
		s.endpoint.boot(images[s.os()](), at)
	}
}

// status is what the server shows; it may be minutes stale.
func (s *sensor) status(now time.Time) string {
	if now.Sub(s.lastCheckIn) < max(onlineFor, 2*s.interval) {
		return "Online"
	}
	return "Offline"
}

func (s *sensor) String() string { return fmt.Sprintf("sensor %d (%s)", s.id, s.hostname) }
