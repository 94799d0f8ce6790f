package testproc

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edrpipe/internal/natsd"
)

// Process is a role that a test starts, kills and starts again. Its log goes to a
// file, whose end is printed when the test fails.
type Process struct {
	role, text string
	log        string

	mu    sync.Mutex
	cmd   *exec.Cmd
	url   string        // what it printed first
	ready chan struct{} // closed when url is known, or it has ended
	ended chan struct{}
}

// Service is a service that reads the configuration file, not yet started. What
// runs of it when the test ends is killed.
func Service(t testing.TB, config string) *Process {
	t.Helper()
	return New(t, serviceRole, config, config+".log")
}

// Bus is a node of the bus.
func Bus(t testing.TB, c natsd.Config, log string) *Process {
	t.Helper()
	text, err := json.Marshal(struct {
		Dir, Listen, User, Pass string
		Sync                    time.Duration
		Cluster                 *natsd.Cluster
	}{c.Dir, c.Listen, c.User, c.Pass, c.Sync, c.Cluster})
	if err != nil {
		t.Fatal(err)
	}
	return New(t, busRole, string(text), log)
}

// New is a process in a role of the test's own.
func New(t testing.TB, role, text, log string) *Process {
	t.Helper()
	p := &Process{role: role, text: text, log: log}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("end of %s:\n%s", log, p.Tail(4000))
		}
	})
	return p
}

// Tail is the end of the log.
func (p *Process) Tail(n int) string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-n):])
}

// Start begins a process; Up waits for it.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	cmd := Command(p.role, p.text)
	cmd.Stderr = log
	cmd.SysProcAttr = attributes()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.url, p.ready, p.ended = cmd, "", make(chan struct{}), make(chan struct{})
	go p.follow(cmd, bufio.NewReader(out), p.ready, p.ended)
	return nil
}

// follow reads the first line and waits for the end; End waits for it.
func (p *Process) follow(cmd *exec.Cmd, out *bufio.Reader, ready, ended chan struct{}) {
	line, err := out.ReadString('\n')
	if err == nil {
		p.mu.Lock()
		p.url = strings.TrimSpace(line)
		p.mu.Unlock()
	}
	close(ready)
	_ = cmd.Wait() // the state says how it ended
	close(ended)
}

// Up waits until the process answers.
func (p *Process) Up(within time.Duration) error {
	p.mu.Lock()
	ready := p.ready
	p.mu.Unlock()
	select {
	case <-ready:
	case <-time.After(within):
		p.Signal(syscall.SIGQUIT) // its goroutines go to the log
		select {
		case <-ready:
		case <-time.After(time.Second): // it is stopped
		}
		return fmt.Errorf("not up after %v: %s", within, p.Tail(4000))
	}
	if p.URL() == "" {
		return fmt.Errorf("it did not start: %s", p.Tail(800))
	}
	return nil
}

// URL is where it answers; empty: not yet.
func (p *Process) URL() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url
}

// Alive reports whether it runs, or is stopped.
func (p *Process) Alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Signal sends a signal to what runs.
func (p *Process) Signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s) // it may have ended by itself
	}
}

// End sends a signal, waits for the end and tells how it came; nil: nothing was
// ever started.
func (p *Process) End(s syscall.Signal) *os.ProcessState {
	p.Signal(s)
	p.mu.Lock()
	cmd, ended := p.cmd, p.ended
	p.mu.Unlock()
	if cmd == nil {
		return nil
	}
	<-ended
	return cmd.ProcessState
}

// Kill is kill -9.
func (p *Process) Kill() *os.ProcessState { return p.End(syscall.SIGKILL) }
