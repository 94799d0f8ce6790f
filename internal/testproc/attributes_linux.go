package testproc

import "syscall"

// attributes: a group of its own, so that who interrupts the test does not
// interrupt what it checks; and no child process outlives its test.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
