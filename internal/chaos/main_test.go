//go:build linux

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"edrpipe/internal/config"
	"edrpipe/internal/natsd"
	"edrpipe/internal/service"
)

// The test binary is also every process that tests kill: the variable says which.
const roleVariable = "EDRPIPE_CHAOS_ROLE"

func TestMain(m *testing.M) {
	zerolog.SetGlobalLevel(zerolog.WarnLevel) // toxiproxy logs every byte
	role, text, found := strings.Cut(os.Getenv(roleVariable), " ")
	if !found {
		// toxiproxy leaves the goroutines of links that end while a toxic is put in or out.
		const toxiproxy = "github.com/Shopify/toxiproxy/v2"
		goleak.VerifyTestMain(m,
			goleak.IgnoreAnyFunction(toxiproxy+"/toxics.(*ToxicStub).Run"),
			goleak.IgnoreAnyFunction(toxiproxy+".(*ToxicLink).read"),
			goleak.IgnoreAnyFunction(toxiproxy+".(*ToxicLink).write"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := map[string]func(context.Context, string) error{"bus": runBus, "replica": runReplica, "clock": tellTime}[role](ctx, text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runBus is one node of the bus until SIGTERM; text is its configuration.
func runBus(ctx context.Context, text string) error {
	c := natsd.Config{Log: zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	s, err := natsd.Start(c)
	if err != nil {
		return err
	}
	fmt.Println(s.URL())
	<-ctx.Done()
	return s.Close()
}

// runReplica is the service of a configuration file until SIGTERM, by a clock that
// can be set where there is a file for it.
func runReplica(ctx context.Context, file string) error {
	if _, err := os.Stat(file + clockSuffix); err == nil {
		if err := shiftOwnClock(file + clockSuffix); err != nil {
			return err
		}
	}
	cfg, _, err := config.Load(file, nil, nil)
	if err != nil {
		return err
	}
	s, err := service.Open(ctx, cfg, "chaos", zerolog.New(os.Stderr).Level(zerolog.WarnLevel))
	if err != nil {
		return err
	}
	fmt.Println(s.URL())
	if err := s.Run(ctx); err != nil {
		return err
	}
	return s.Close()
}
