package bustest

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCallsHaveNoDrawnNames(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]string{
		"$JS.ACK.EVENTS.rules.1.4.4.1764600000.0":                                            "$JS.ACK",
		"$JS.API.CONSUMER.CREATE.EVENTS.rules":                                               "$JS.API.CONSUMER.CREATE.EVENTS.rules",
		"$JS.API.CONSUMER.INFO.KV_control.fAkGcuhugfZxNJcjMXnJRf_1":                          "$JS.API.CONSUMER.INFO.KV_control.*",
		"$JS.API.CONSUMER.CREATE.KV_control.fAkGcuhugfZxNJcjMXsvGB_12.$KV.control.rules.>":   "$JS.API.CONSUMER.CREATE.KV_control.*.$KV.control.rules.>",
		"$JS.API.CONSUMER.MSG.NEXT.EVENTS.qpPCVUEm":                                          "$JS.API.CONSUMER.MSG.NEXT.EVENTS.*",
		"$JS.API.CONSUMER.CREATE.KV_jobs.HEL24HxF.$KV.jobs.>":                                "$JS.API.CONSUMER.CREATE.KV_jobs.*.$KV.jobs.>",
		"$JS.API.DIRECT.GET.KV_jobs-finished.$KV.jobs-finished.0aa1bb2cc3dd4ee5ff6077889900": "$JS.API.DIRECT.GET.KV_jobs-finished.$KV.jobs-finished.*",
		"$JS.API.DIRECT.GET.KV_control.$KV.control.guard.breaker.limited":                    "$JS.API.DIRECT.GET.KV_control.$KV.control.guard.breaker.limited",
		"edr.events.12.jobs": "edr.events.*.jobs",
	} {
		if got := callOf(subject); got != want {
			t.Errorf("callOf(%s) = %s, want %s", subject, got, want)
		}
	}
}
