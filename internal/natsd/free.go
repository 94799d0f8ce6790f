//go:build linux || darwin

package natsd

import (
	"fmt"
	"syscall"
)

// Free tells how many bytes the disk under the store has left for us.
func (s *Server) Free() (uint64, error) { return free(s.conf.Dir) }

func free(dir string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return fs.Bavail * uint64(fs.Bsize), nil // Bsize has another type on other systems
}
