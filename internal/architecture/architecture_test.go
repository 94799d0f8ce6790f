// Package architecture holds the house to its plan: who may import whom.
package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// level is the floor of each package; imports go down, or stay on the floor where
// sideways names the pair. A package that is missing here fails the test, so that
// a new one is given its place.
var level = map[string]int{
	"pkg/seal": 0, "pkg/shares": 0, "internal/quarantine": 9,
	"internal/printable": -1, "internal/progress": 0,
	"internal/nearest": 0, "internal/sizing": 0, "internal/secretfiles": 0, "deploy/nats": 0, "internal/connlimit": 0, "internal/natsd": 1, "internal/golden": 0, "internal/fixtures": 0, "examples": 0, "edrpipe": 0, "internal/manual": 0, "scripts/screenshots": 0, "internal/rabbittest": 0, "internal/rabbittest/publish": 0, "scripts/skips": 0, "scripts/mutants": 0,
	"internal/kinds": 5, "internal/fleet": 8,
	"internal/diskspace": 0, "internal/health": 0, "internal/setup": 0, "internal/looseid": 0,
	"pkg/strictyaml": 1, "pkg/edr": 1, "pkg/edr/edrtest": 2, "internal/config": 2,
	"pkg/events/batch": 0, "pkg/events": 1, "pkg/events/inflight": 2,
	"pkg/events/amqp": 3, "pkg/events/http": 3, "pkg/events/jetstream": 3, "pkg/events/lines": 3, "pkg/events/s3": 3, "pkg/events/s3/sqs": 4,
	"pkg/expression": 2, "pkg/liveresponse": 2, "pkg/lr": 3, "pkg/cbc": 3, "pkg/events/cloudalerts": 4, "pkg/bus/grouped": 1, "pkg/bus": 2, "pkg/bus/bustest": 3, "pkg/audit": 2, "pkg/edrsim": 2,
	"pkg/endpoints": 2, "pkg/admission": 2, "pkg/directory": 3, "pkg/binaries": 3, "pkg/actions": 3, "pkg/guard": 3, "pkg/chain": 4, "pkg/artifacts": 4,
	"rules/index": 3, "rules/list": 3, "rules": 5, "rules/sigma": 6,
	"rules/format": 6, "rules/mutate": 6, "rules/attack": 0, "rules/propose": 7, "internal/lsp": 7,
	"internal/pace": -1, "internal/ranking": -1, "internal/ordered": -1, "internal/conflict": -1, "internal/tlsfiles": 0, "internal/selfsigned": -1, "pkg/jobs/internal/freshness": 0, "pkg/jobs/job": 4, "pkg/jobs/internal/order": 5, "pkg/jobs/natsstore": 5, "pkg/jobs/internal/run": 6, "pkg/jobs": 7,
	"internal/backup": 3, "internal/lrshell": 4, "internal/telemetry": 8, "internal/web": 8, "internal/demo": 8, "internal/workload": 8, "internal/apiclient": 9, "internal/mcpserver": 8,
	"internal/notices": 9, "internal/pager": 9, "internal/outputs": 10, "internal/listsource": 6, "internal/buswatch": 9, "internal/intake": 10, "internal/console": 11,
	"internal/doctor": 9, "internal/references": 9, "internal/service": 12, "internal/testproc": 13, "cmd/pipeline": 13,
}

// only lists imports that few may have: everybody else knows an interface, or the
// dependency is heavy.
var only = map[string][]string{
	"github.com/nats-io/nats-server/v2/server": {"internal/natsd"},
	"edrpipe/pkg/lr":                 {"cmd/pipeline", "internal/kinds", "internal/lrshell", "internal/doctor"},
	"edrpipe/pkg/cbc":                {"pkg/events/cloudalerts", "internal/kinds"},
	"edrpipe/internal/golden":        {},                                                                                                // for tests
	"edrpipe/internal/fixtures":      {},                                                                                                // for tests
	"edrpipe/internal/testproc":      {},                                                                                                // for tests
	"edrpipe/pkg/bus/bustest":        {},                                                                                                // for tests
	"edrpipe/internal/natsd":         {"internal/service", "internal/buswatch", "pkg/bus/bustest", "internal/testproc", "cmd/pipeline"}, // the last for backups of a bus whose service is stopped
	"github.com/rabbitmq/amqp091-go": {"pkg/events/amqp", "internal/rabbittest", "internal/rabbittest/publish"},
}

// never lists what a package must not import.
var never = map[string][]string{
	"rules":     {"edrpipe/pkg/jobs", "edrpipe/pkg/guard", "edrpipe/pkg/bus", "github.com/nats-io/nats.go"},
	"pkg/guard": {"edrpipe/rules", "edrpipe/pkg/jobs"},
	// The rooms of the service know one another only downwards: a notice knows of no
	// matching, the watch over the bus of no events, the intake of no pages.
	"internal/notices":  {"edrpipe/pkg/lr", "edrpipe/rules", "edrpipe/pkg/guard", "edrpipe/internal/buswatch"},
	"internal/buswatch": {"edrpipe/pkg/lr", "edrpipe/rules", "edrpipe/pkg/guard", "edrpipe/internal/web", "edrpipe/internal/notices"},
	"internal/intake":   {"edrpipe/pkg/lr", "edrpipe/internal/web", "edrpipe/internal/buswatch", "edrpipe/internal/natsd"},
	"internal/console":  {"edrpipe/pkg/lr", "edrpipe/internal/buswatch", "edrpipe/internal/natsd"},
	"pkg/edrsim":        {"edrpipe/pkg/lr", "edrpipe/pkg/edr", "edrpipe/pkg/jobs"},
}

// standalone lists what a library must not depend on, however far down it is, so
// that it can be used without it.
var standalone = map[string][]string{
	"pkg/jobs": {"edrpipe/rules", "edrpipe/pkg/guard", "edrpipe/pkg/lr", "edrpipe/pkg/bus", "github.com/nats-io"},
}

// pure lists what a room must not import itself: the order of jobs holds no lock,
// starts nothing and waits for nothing, and the words of jobs know no room.
var pure = map[string][]string{
	"pkg/jobs/internal/order": {"sync", "sync/atomic", "context", "edrpipe/pkg/jobs/natsstore"},
	"pkg/admission":           {"sync", "context", "edrpipe/pkg/actions"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// packages are those that are built, without tests.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "edrpipe/...")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, problems.String())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportsGoDown(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, "edrpipe/")
		if len(p.Imports) == 0 {
			continue // tests only
		}
		floor, known := level[from]
		if !known {
			t.Errorf("%s has no floor in this test: give it one", from)
			continue
		}
		for _, bad := range standalone[from] {
			for _, dep := range p.Deps {
				if dep == bad || strings.HasPrefix(dep, bad+"/") {
					t.Errorf("%s depends on %s, and must not", from, dep)
				}
			}
		}
		for _, imported := range p.Imports {
			if slices.Contains(pure[from], imported) {
				t.Errorf("%s imports %s, and must not", from, imported)
			}
			for _, bad := range never[from] {
				if imported == bad || strings.HasPrefix(imported, bad+"/") {
					t.Errorf("%s imports %s, and must not know of it", from, imported)
				}
			}
			if allowed, bounded := only[imported]; bounded && !slices.Contains(allowed, from) {
				t.Errorf("%s imports %s, which is for %s", from, imported, strings.Join(allowed, ", "))
			}
			to, ours := strings.CutPrefix(imported, "edrpipe/")
			if ours && level[to] >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports go down", from, floor, to, level[to])
			}
		}
	}
}
