//go:build linux || darwin

// Package diskspace reports how much room a disk has.
package diskspace

import (
	"fmt"
	"syscall"
)

// Free returns how many bytes the disk of dir has left for this user.
func Free(dir string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return fs.Bavail * uint64(fs.Bsize), nil // Bsize has another type on other systems
}
