// Package doctor tries a configuration against the real world, step by step: files,
// rules, guards, EDR server, bus, disk, clock, sources. It changes nothing there.
package doctor

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"
	"time"

	"edrpipe/internal/config"
	"edrpipe/internal/health"
)

// State is the outcome of a check: in the words of a running service's health.
type State = health.State

// The states of checks.
const (
	OK       = health.OK
	Degraded = health.Degraded // it works, and something is to be known
	Failed   = health.Failed
	Unknown  = health.Unknown // could not be tried
)

// Finding is what one check found.
type Finding struct {
	Check string `json:"check"`
	State State  `json:"state"`
	Text  string `json:"text"`
	Cure  string `json:"cure,omitempty"` // what to do about it
}

// Doctor checks one configuration.
type Doctor struct {
	Config  config.Config
	Dir     string        // to which relative paths of the configuration refer; empty: the working directory
	Service string        // address at which the configured service answers, if it runs
	Token   string        // of a user of that service; empty: its reasons are not told
	HTTP    *http.Client  // for that service; nil: http.DefaultClient
	Within  time.Duration // bounds each check that waits for another machine; 0: 10 s
	Now     func() time.Time

	report func(Finding)
}

// Files checks what lies on this machine: it needs no network.
func (d *Doctor) Files(ctx context.Context, report func(Finding)) {
	d.report = report
	d.secrets()
	d.exposure()
	d.data()
	d.rules(ctx)
	d.guards()
	d.endpoints()
	d.users()
}

// Run checks everything and reports each finding as it is made.
func (d *Doctor) Run(ctx context.Context, report func(Finding)) {
	if d.Within == 0 {
		d.Within = 10 * time.Second
	}
	d.Files(ctx, report)
	d.edr(ctx)
	running := d.service(ctx)
	d.bus(ctx, running)
	d.sources(ctx, running)
}

func (d *Doctor) ok(check, text string) { d.report(Finding{Check: check, State: OK, Text: text}) }

func (d *Doctor) degraded(check, text, cure string) {
	d.report(Finding{Check: check, State: Degraded, Text: text, Cure: cure})
}

func (d *Doctor) failed(check, text, cure string) {
	d.report(Finding{Check: check, State: Failed, Text: text, Cure: cure})
}

func (d *Doctor) unknown(check, text, cure string) {
	d.report(Finding{Check: check, State: Unknown, Text: text, Cure: cure})
}

// path is where a file of the configuration lies.
func (d *Doctor) path(name string) string {
	if d.Dir == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(d.Dir, name)
}

// cureOf says what to do about a file that cannot be read.
func cureOf(err error, key string) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "make the file, or correct " + key + "; relative paths begin where pipeline is started"
	case errors.Is(err, fs.ErrPermission):
		return "let the user who runs pipeline read it: chown, or chmod u+r"
	}
	return "correct " + key
}
