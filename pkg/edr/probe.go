package edr

import "context"

// A Prober is a Server that knows of a cheaper question than Sessions for whether it
// works, for instance because its requests are counted.
type Prober interface {
	// Probe returns nil where the server works, else why not, as Sessions would.
	Probe(ctx context.Context) error
}
