package liveresponse

import (
	"io/fs"

	"edrpipe/pkg/edr"
)

// errnos are the error numbers common to Linux and macOS. That sensors there report
// errno is an inference: no public source documents their codes.
var errnos = map[uint32]Code{
	1:  {"EPERM", "operation not permitted", fs.ErrPermission},
	2:  {"ENOENT", "no such file or directory", fs.ErrNotExist},
	3:  {"ESRCH", "no such process", nil},
	4:  {"EINTR", "interrupted", nil},
	5:  {"EIO", "input/output error", nil},
	6:  {"ENXIO", "no such device or address", nil},
	7:  {"E2BIG", "argument list is too long", nil},
	8:  {"ENOEXEC", "not an executable for this system", nil},
	9:  {"EBADF", "bad file descriptor", nil},
	10: {"ECHILD", "no child process", nil},
	12: {"ENOMEM", "out of memory", nil},
	13: {"EACCES", "permission denied", fs.ErrPermission},
	14: {"EFAULT", "bad address", nil},
	16: {"EBUSY", "device or resource is busy", nil},
	17: {"EEXIST", "exists already", fs.ErrExist},
	18: {"EXDEV", "destination is on another device", nil},
	20: {"ENOTDIR", "not a directory", nil},
	21: {"EISDIR", "is a directory", nil},
	22: {"EINVAL", "argument is not valid", nil},
	24: {"EMFILE", "too many open files", nil},
	26: {"ETXTBSY", "program is being executed", nil},
	27: {"EFBIG", "file is too large", nil},
	28: {"ENOSPC", "no space left on the device", nil},
	29: {"ESPIPE", "not seekable", nil},
	30: {"EROFS", "file system is read-only", fs.ErrPermission},
	31: {"EMLINK", "too many links", nil},
	32: {"EPIPE", "broken pipe", nil},
}

// errnoOf returns the numbers that differ between the two.
func errnoOf(os edr.OS) map[uint32]Code {
	if os == edr.MacOS {
		return errnoMac
	}
	return errnoLinux
}

var errnoLinux = map[uint32]Code{
	11:  {"EAGAIN", "resource is temporarily not available", nil},
	35:  {"EDEADLK", "would be a deadlock", nil},
	36:  {"ENAMETOOLONG", "name is too long", nil},
	38:  {"ENOSYS", "not implemented", nil},
	39:  {"ENOTEMPTY", "directory is not empty", nil},
	40:  {"ELOOP", "too many symbolic links", nil},
	95:  {"EOPNOTSUPP", "not supported", nil},
	110: {"ETIMEDOUT", "timed out", nil},
	122: {"EDQUOT", "disk quota is exceeded", nil},
}

var errnoMac = map[uint32]Code{
	11: {"EDEADLK", "would be a deadlock", nil},
	35: {"EAGAIN", "resource is temporarily not available", nil},
	45: {"ENOTSUP", "not supported", nil},
	60: {"ETIMEDOUT", "timed out", nil},
	62: {"ELOOP", "too many symbolic links", nil},
	63: {"ENAMETOOLONG", "name is too long", nil},
	66: {"ENOTEMPTY", "directory is not empty", nil},
	69: {"EDQUOT", "disk quota is exceeded", nil},
	78: {"ENOSYS", "not implemented", nil},
}
