package edrsim

// A failure is an endpoint's refusal to do a command: the zero value is success.
// Windows sensors report Win32 errors as HRESULT; what other sensors report is
// not documented and taken to be errno.
type failure struct {
	win32 uint32
	errno uint32
}

var (
	success         = failure{}
	errNotFound     = failure{2, 2}    // ERROR_FILE_NOT_FOUND, ENOENT
	errPathNotFound = failure{3, 2}    // ERROR_PATH_NOT_FOUND, ENOENT
	errAccessDenied = failure{5, 13}   // ERROR_ACCESS_DENIED, EACCES
	errNotReady     = failure{21, 123} // ERROR_NOT_READY, ENOMEDIUM
	errSharing      = failure{32, 16}  // ERROR_SHARING_VIOLATION, EBUSY
	errNotSupported = failure{50, 95}  // ERROR_NOT_SUPPORTED, EOPNOTSUPP
	errFileExists   = failure{80, 17}  // ERROR_FILE_EXISTS, EEXIST
	errInvalid      = failure{87, 22}  // ERROR_INVALID_PARAMETER, EINVAL
	errInvalidName  = failure{123, 22} // ERROR_INVALID_NAME, EINVAL
	errExists       = failure{183, 17} // ERROR_ALREADY_EXISTS, EEXIST
	errBadExe       = failure{193, 8}  // ERROR_BAD_EXE_FORMAT, ENOEXEC
	errDirectory    = failure{267, 20} // ERROR_DIRECTORY, ENOTDIR
	errNoProcess    = failure{87, 3}   // ERROR_INVALID_PARAMETER, ESRCH
	errHasChildren  = failure{1020, 39}
	errNotDisk      = failure{17, 18} // ERROR_NOT_SAME_DEVICE, EXDEV
)

// wire gives result_code and result_type.
func (f failure) wire(windows bool) (code uint32, typ string) {
	const win32Facility = 0x80070000
	switch {
	case !windows:
		return f.errno, "CbError"
	case f == success:
		return 0, "WinHresult"
	default:
		return win32Facility | f.win32, "WinHresult"
	}
}
