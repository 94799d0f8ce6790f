package service

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// A block of nats-server's store that is written while its store closes can get a
	// flusher that nobody stops (2.15.2, seen once under load, with nothing else left).
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*msgBlock).flushLoop"))
}
