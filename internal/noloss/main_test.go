package noloss

import (
	"testing"

	"go.uber.org/goleak"

	"edrpipe/internal/victim"
)

func TestMain(m *testing.M) {
	victim.Main(nil)
	goleak.VerifyTestMain(m)
}
