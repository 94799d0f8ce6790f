//go:build linux

package chaos

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is one that faults befall: a bus node or a replica. Its log goes to a
// file, which is shown when the test fails.
type process struct {
	name string
	role string // value of roleVariable
	log  string

	mu    sync.Mutex
	cmd   *exec.Cmd
	url   string        // what it printed first
	ready chan struct{} // closed when url is known, or it has ended
	ended chan struct{}
}

func newProcess(t testing.TB, dir, name, role string) *process {
	t.Helper()
	p := &process{name: name, role: role, log: filepath.Join(dir, name+".log")}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("end of the log of %s:\n%s", name, p.tail(1500))
			p.keepLog(t, os.Getenv("CHAOS_LOGS"))
		}
	})
	return p
}

// keepLog copies the log into a directory; empty: nowhere.
func (p *process) keepLog(t testing.TB, dir string) {
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+"-"+p.name+".log"), []byte(p.tail(10<<20)), 0o600); err != nil {
		t.Log(err)
	}
}

func (p *process) tail(n int) string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-n):])
}

// start begins the process; up waits for it.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+p.role)
	cmd.Stderr = log
	// A group of its own: who interrupts the test does not interrupt what it checks.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
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

// follow reads the first line and waits for the end; kill and stop wait for it.
func (p *process) follow(cmd *exec.Cmd, out *bufio.Reader, ready, ended chan struct{}) {
	line, err := out.ReadString('\n')
	if err == nil {
		p.mu.Lock()
		p.url = strings.TrimSpace(line)
		p.mu.Unlock()
	}
	close(ready)
	_ = cmd.Wait() // most are killed
	close(ended)
}

// up waits until the process answers.
func (p *process) up(within time.Duration) error {
	p.mu.Lock()
	ready := p.ready
	p.mu.Unlock()
	select {
	case <-ready:
	case <-time.After(within):
		return fmt.Errorf("%s is not up after %v: %s", p.name, within, p.tail(800))
	}
	if p.address() == "" {
		return fmt.Errorf("%s did not start: %s", p.name, p.tail(800))
	}
	return nil
}

func (p *process) address() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url
}

func (p *process) alive() bool {
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

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s) // it may have ended by itself
	}
}

// end signals and waits.
func (p *process) end(s syscall.Signal) {
	p.signal(s)
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

func (p *process) kill() { p.end(syscall.SIGKILL) }
