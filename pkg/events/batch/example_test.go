package batch_test

import (
	"fmt"

	"edrpipe/pkg/events/batch"
)

// One broken event leaves its neighbours whole.
func ExampleSplit_broken() {
	b := batch.Split([]byte("[{\"n\":1}\n, {\"n\" 2}\n, {\"n\":3}]"))
	fmt.Printf("%d events, %d of them broken: %s\n", len(b.Events), b.Broken, b.Events[1])
	// Output: 3 events, 1 of them broken: {"n" 2}
}
