//go:build !linux

package testproc

import "syscall"

func attributes() *syscall.SysProcAttr { return nil }
