package noloss

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// victim is the service in a process of its own, one after another.
type victim struct {
	t      *testing.T
	config string
	log    string
	cmd    *exec.Cmd
	peak   int // KiB of resident memory, the most that one had
}

func newVictim(t *testing.T, config string) *victim {
	v := &victim{t: t, config: config, log: config + ".log"}
	t.Cleanup(func() {
		if v.cmd != nil {
			_ = v.cmd.Process.Kill() // what the test left behind
			_ = v.cmd.Wait()
		}
		if text, err := os.ReadFile(v.log); t.Failed() && err == nil {
			t.Logf("end of the service's log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return v
}

// start begins a service and waits until it answers.
func (v *victim) start() {
	v.t.Helper()
	log, err := os.OpenFile(v.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		v.t.Fatal(err)
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+v.config)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.cmd = cmd
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) }) // with its goroutines in the log
	defer late.Stop()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		v.t.Fatalf("the service did not start: %v", err)
	}
}

// kill is kill -9.
func (v *victim) kill() {
	v.t.Helper()
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.cmd.Process.Pid)) // not on every system
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			kib, _ := strconv.Atoi(f[1])
			v.peak = max(v.peak, kib)
		}
	}
	if err := v.cmd.Process.Kill(); err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Wait(); err == nil || v.cmd.ProcessState.Exited() {
		v.t.Fatalf("the service ended by itself: %v", v.cmd.ProcessState)
	}
	v.cmd = nil
}

// stop ends the service as an operator would.
func (v *victim) stop() {
	v.t.Helper()
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Wait(); err != nil {
		v.t.Errorf("stopping the service: %v", err)
	}
	v.cmd = nil
}
