package edrsim_test

import (
	"fmt"
	"reflect"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

// num is a JSON number as a path element.
func num(v any) string { return fmt.Sprint(v) }
