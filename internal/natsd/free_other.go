//go:build !(linux || darwin)

package natsd

import "errors"

// Free is not known on this system.
func (s *Server) Free() (uint64, error) { return free(s.conf.Dir) }

func free(string) (uint64, error) { return 0, errors.ErrUnsupported }
