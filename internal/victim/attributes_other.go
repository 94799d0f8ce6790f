//go:build !linux

package victim

import "syscall"

func attributes() *syscall.SysProcAttr { return nil }
