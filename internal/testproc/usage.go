package testproc

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Peak is the most resident memory that the running process had, in bytes; 0: none
// runs, or this system does not tell.
func (p *Process) Peak() int64 {
	for line := range strings.Lines(p.proc("status")) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// tick is the unit of processor time in /proc, on every Linux.
const tick = 10 * time.Millisecond

// Spent is the processor time that the running process has used; 0: none runs, or
// this system does not tell.
func (p *Process) Spent() (all time.Duration) {
	_, after, _ := strings.Cut(p.proc("stat"), ") ") // the name before may hold anything but is our own
	fields := strings.Fields(after)
	for _, text := range fields[min(11, len(fields)):min(13, len(fields))] { // user and system time
		ticks, _ := strconv.ParseInt(text, 10, 64)
		all += time.Duration(ticks) * tick
	}
	return all
}

// proc is what the system says of the running process; empty: nothing.
func (p *Process) proc(file string) string {
	if !p.Alive() {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file)) // not on every system
	return string(text)
}
