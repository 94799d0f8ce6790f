//go:build !(linux || darwin)

// Package diskspace reports how much room a disk has.
package diskspace

import "errors"

// Free is not known on this system.
func Free(string) (uint64, error) { return 0, errors.ErrUnsupported }
