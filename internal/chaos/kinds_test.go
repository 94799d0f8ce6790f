//go:build linux

package chaos

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// anything draws a fault of any kind.
func (c *chaos) anything() fault {
	between := func(a, b time.Duration) time.Duration { return a + time.Duration(c.rand.Int64N(int64(b-a))) }
	replica := c.rand.IntN(len(c.replicas))
	node := c.nodes[c.rand.IntN(len(c.nodes))]
	server := c.servers[c.rand.IntN(len(c.servers))]
	edr, busLink := c.edrLinks[c.rand.IntN(len(c.edrLinks))], c.busLinks[c.rand.IntN(len(c.busLinks))]
	switch planned := c.planned(); { // in the short form, too
	case clocksCanShift && planned == 0:
		return c.wrongClock(replica, between(-3*time.Hour, 3*time.Hour))
	case planned == 1:
		return c.noRecords(server, between(2*time.Second, 4*time.Second))
	}
	switch x := c.rand.IntN(100); {
	case x < 10:
		return killed(c.replicas[replica], between(50*time.Millisecond, 2*time.Second))
	case x < 20:
		return c.crash(replica, between(50*time.Millisecond, 2*time.Second))
	case x < 27:
		return stopped(c.replicas[replica], between(200*time.Millisecond, 8*time.Second))
	case x < 32:
		return killed(node, between(50*time.Millisecond, 1500*time.Millisecond))
	case x < 36:
		return stopped(node, between(200*time.Millisecond, 3*time.Second))
	case x < 44:
		return cut(edr, between(100*time.Millisecond, 3*time.Second))
	case x < 52:
		return cut(busLink, between(100*time.Millisecond, 3*time.Second))
	case x < 57:
		return spoilt(edr, "latency", `{"latency":300,"jitter":300}`, between(time.Second, 4*time.Second))
	case x < 62:
		return spoilt(busLink, "latency", `{"latency":200,"jitter":200}`, between(time.Second, 4*time.Second))
	case x < 68:
		return spoilt(edr, "reset_peer", `{"timeout":50}`, between(200*time.Millisecond, 2*time.Second))
	case x < 73:
		return spoilt(busLink, "bandwidth", `{"rate":20}`, between(time.Second, 4*time.Second)) // a slow consumer
	case x < 75:
		return c.noRecords(server, between(time.Second, 4*time.Second))
	case x < 77:
		return spoilt(edr, "slicer", `{"average_size":20,"size_variation":10,"delay":1000}`, between(time.Second, 3*time.Second))
	case x < 84:
		return lyingServer(server, between(500*time.Millisecond, 3*time.Second))
	case x < 90 && clocksCanShift:
		return c.wrongClock(replica, between(-3*time.Hour, 3*time.Hour))
	case x < 94:
		return clockJump(server, between(10*time.Second, 2*time.Minute))
	case x < 97 || c.ballast == "":
		return sleeper(server, 2+c.rand.IntN(c.shape.sensors-1), between(time.Second, 5*time.Second))
	default:
		return c.fullDisk(node, between(500*time.Millisecond, 2*time.Second))
	}
}

func killed(p *process, lasts time.Duration) fault {
	return fault{
		name: "kill -9 of a " + kindOf(p) + ": " + p.name, lasts: lasts, victim: p,
		begin: func() error { p.Kill(); return nil },
		end: func() error {
			// A replica may be killed again before it is up, and may give up while the
			// bus is away: both are what a supervisor sees, and it starts it again.
			return p.Start()
		},
	}
}

// crash kills a replica at a crash point, if it comes there soon.
func (c *chaos) crash(replica int, lasts time.Duration) fault {
	all := crashPoints()
	at, tap, skip := all[c.rand.IntN(len(all))], c.taps[replica], c.rand.IntN(3)
	f := killed(c.replicas[replica], lasts)
	f.name = "kill -9 at a crash point: " + f.victim.(*process).name + ", " + at.String()
	f.begin = func() error {
		fired := tap.arm(at, skip)
		select {
		case <-fired:
		case <-time.After(5 * time.Second):
			if tap.disarm() {
				return errMissed
			}
			<-fired
		}
		return nil
	}
	return f
}

func stopped(p *process, lasts time.Duration) fault {
	return fault{
		name: "SIGSTOP of a " + kindOf(p) + ": " + p.name, lasts: lasts, victim: p,
		begin: func() error { p.Signal(syscall.SIGSTOP); return nil },
		end:   func() error { p.Signal(syscall.SIGCONT); return nil },
	}
}

func kindOf(p *process) string { return strings.TrimRight(p.name, "0123456789") }

func cut(l *link, lasts time.Duration) fault {
	return fault{
		name: "cut: " + l.name, lasts: lasts, victim: l,
		begin: func() error { l.cut(); return nil },
		end:   l.mend,
	}
}

func spoilt(l *link, kind, attributes string, lasts time.Duration) fault {
	return fault{
		name: kind + ": " + l.name, lasts: lasts, victim: l,
		begin: func() error { return l.spoil(kind, attributes) },
		end:   func() error { l.clear(); return nil },
	}
}

func lyingServer(s *server, lasts time.Duration) fault {
	return fault{
		name: "storm of EDR errors: " + s.name, lasts: lasts, victim: "storm " + s.name,
		begin: func() error { return s.sim.SetFaults(storm) },
		end:   func() error { return s.sim.SetFaults(usual) },
	}
}

func clockJump(s *server, ahead time.Duration) fault {
	return fault{
		name: "clock of the EDR server jumps: " + s.name + " by " + ahead.String(), victim: "clock " + s.name,
		begin: func() error { s.sim.Advance(ahead); return nil },
		end:   func() error { return nil },
	}
}

// wrongClock sets a replica's clock, which stays wrong until it is set again.
func (c *chaos) wrongClock(replica int, off time.Duration) fault {
	clock := c.clocks[replica]
	return fault{
		name: fmt.Sprintf("clock of a replica jumps: %s is off by %v", c.replicas[replica].name, off.Round(time.Second)), victim: clock,
		begin: func() error { return clock.set(off) },
		end:   func() error { return nil },
	}
}

func sleeper(s *server, sensor int, lasts time.Duration) fault {
	return fault{
		name: fmt.Sprintf("sensor switched off: %s", s.endpoint(sensor)), lasts: lasts, victim: s.endpoint(sensor),
		begin: func() error { return s.sim.SetPower(sensor, false) },
		end:   func() error { return s.sim.SetPower(sensor, true) },
	}
}

// noRecords lets a server refuse the records of its endpoints while it does all else.
func (c *chaos) noRecords(s *server, lasts time.Duration) fault {
	return fault{
		name: "records of endpoints withheld: " + s.name, lasts: lasts, victim: "records " + s.name,
		begin: func() error { s.withheld.Store(true); return nil },
		end: func() error { // of all: those of a new world are withheld until then
			return c.eachServer(func(s *server) error { s.withheld.Store(false); return nil })
		},
	}
}

// fullDisk fills the bus's disk. A bus whose disk was full has to be started again
// once there is space: nats-server does not write to a stream any more on which
// a write has failed.
func (c *chaos) fullDisk(node *process, lasts time.Duration) fault {
	return fault{
		name: "disk of the bus is full", lasts: lasts, victim: node,
		begin: func() error { return fill(c.ballast) },
		end: func() error {
			if err := os.Remove(c.ballast); err != nil {
				return err
			}
			node.Kill()
			return node.Start()
		},
	}
}
