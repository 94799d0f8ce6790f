package lr

import (
	"context"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// WalkFunc sees each entry below a root: see liveresponse.WalkFunc.
type WalkFunc = liveresponse.WalkFunc

// Walk visits everything below the directory root: see liveresponse.Walk.
func (s *Session) Walk(ctx context.Context, root string, fn WalkFunc) error {
	return liveresponse.Walk(ctx, s.List, s.os, root, fn)
}

// Stat returns the entry of one file or directory.
func (s *Session) Stat(ctx context.Context, path string) (edr.DirEntry, error) {
	return liveresponse.Stat(ctx, s.List, s.os, s.Info().SensorID, path)
}
