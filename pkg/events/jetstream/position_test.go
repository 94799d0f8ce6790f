package jetstream

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestPositionIsMetadata compares with the client library, which reads every word.
func TestPositionIsMetadata(t *testing.T) {
	for _, reply := range []string{
		"$JS.ACK.EVENTS.c1.1.5.6.1731000000000000000.7",
		"$JS.ACK.hub.AHASH.EVENTS.c1.1.5.6.1731000000000000000.7",
		"$JS.ACK._.AHASH.EVENTS.c1.1.18446744073709551615.6.1731000000000000000.7.x",
		"$JS.ACK.EVENTS.c1.1.5.6.1731000000000000000",
		"$JS.ACK.EVENTS.c1.1.5.6.1731000000000000000.7.8",
		"$JS.ACK.",
		"_INBOX.x.y",
		"",
	} {
		meta, err := (&nats.Msg{Reply: reply, Sub: &nats.Subscription{}}).Metadata()
		got, ok := parsePosition(reply)
		if ok != (err == nil) {
			t.Errorf("%q: %v, the library says %v", reply, ok, err)
		} else if ok && (got.stream != meta.Sequence.Stream || got.consumer != meta.Sequence.Consumer) {
			t.Errorf("%q: %v, the library says %v", reply, got, meta.Sequence)
		}
	}
	if n := testing.AllocsPerRun(100, func() { parsePosition("$JS.ACK.EVENTS.c1.1.5.6.1731000000000000000.7") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if _, ok := parsePosition("$JS.ACK." + strings.Repeat(".", 20)); ok {
		t.Error("no numbers are a position")
	}
}
