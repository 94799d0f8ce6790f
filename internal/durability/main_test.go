package durability

import (
	"testing"

	"go.uber.org/goleak"

	"edrpipe/internal/testproc"
)

func TestMain(m *testing.M) {
	testproc.Main(nil)
	goleak.VerifyTestMain(m)
}
