package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"edrpipe/pkg/edrsim"
)

// TestMain makes this binary the pipeline command for the scripts that it runs.
func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){"pipeline": main})
}

// leakless also fails on goroutines that the tests left behind.
type leakless struct{ *testing.M }

// Run implements testscript's TestingM.
func (l leakless) Run() int {
	code := l.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// TestScripts runs testdata/script/*.txtar: the command line as people type it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"edr": startEDR, "service": startService, "capture": capture, "waitstate": waitState, "ingest": ingestFile, "waitdead": waitDead, "waitdeclined": waitDeclined, "status": status, "until": until},
	})
}

// startEDR is the script command "edr [SENSORS]": a simulated EDR server that runs
// a hundred times faster than real, named in the environment.
func startEDR(ts *testscript.TestScript, neg bool, args []string) {
	cfg := edrsim.Config{TimeScale: 100, Sensors: 1, CheckIn: 3 * time.Second}
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		ts.Check(err)
		cfg.Sensors = n
	}
	sim := edrsim.New(cfg).Start()
	ts.Defer(sim.Close)
	ts.Setenv("EDRPIPE_EDR_URL", sim.URL)
	ts.Setenv("EDRPIPE_EDR_TOKEN", sim.Token)
}

// status runs a command that has to end with an exit status: status 2 pipeline x.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command args...")
	}
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); !errors.As(err, &ended) {
		ts.Fatalf("ended well (%v), want status %s", err, args[0])
	}
	if got := strconv.Itoa(ended.ExitCode()); got != args[0] {
		ts.Fatalf("status %s, want %s", got, args[0])
	}
}
