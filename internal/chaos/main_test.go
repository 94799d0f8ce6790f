//go:build linux

package chaos

import (
	"context"
	"os"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"edrpipe/internal/testproc"
)

func TestMain(m *testing.M) {
	zerolog.SetGlobalLevel(zerolog.WarnLevel) // toxiproxy logs every byte
	testproc.Main(map[string]testproc.Role{replicaRole: runReplica, clockRole: tellTime})
	// toxiproxy leaves the goroutines of links that end while a toxic is put in or out.
	const toxiproxy = "github.com/Shopify/toxiproxy/v2"
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction(toxiproxy+"/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction(toxiproxy+".(*ToxicLink).read"),
		goleak.IgnoreAnyFunction(toxiproxy+".(*ToxicLink).write"))
}

// What a process of this test may be, besides a node of the bus.
const (
	replicaRole = "replica"
	clockRole   = "clock"
)

// runReplica is the service of a configuration file, by a clock that can be set where
// there is a file for it.
func runReplica(ctx context.Context, file string) error {
	if _, err := os.Stat(file + clockSuffix); err == nil {
		if err := shiftOwnClock(file + clockSuffix); err != nil {
			return err
		}
	}
	return testproc.Serve(ctx, file)
}
