package liveresponse

import (
	"io/fs"

	"edrpipe/pkg/edr"
)

// A Code is the meaning of a result code. The zero Code is of an unknown one.
type Code struct {
	Name string // ERROR_FILE_NOT_FOUND
	Text string // readable
	Is   error  // one of the fs errors, or nil
}

// facilityWin32 marks an HRESULT whose low half is a Win32 error.
const facilityWin32 = 0x80070000

// NewError explains an endpoint's refusal. desc is the server's description.
func NewError(w edr.Where, raw uint32, typ, desc string, os edr.OS) *edr.ResultError {
	c := Explain(raw, os)
	if c.Text == "" {
		c.Text = "result code"
	}
	if desc != "" {
		c.Text += ": " + Clean(desc, "")
	}
	return edr.NewResultError(w, raw, typ, c.Name, c.Text, c.Is)
}

// Explain decodes a result code: an HRESULT of facility Win32 wherever it comes
// from, otherwise an HRESULT on Windows and an errno elsewhere.
func Explain(raw uint32, os edr.OS) Code {
	if raw&0xffff0000 == facilityWin32 {
		return win32[uint16(raw)]
	}
	if os == edr.Windows {
		return hresults[raw]
	}
	if c, ok := errnoOf(os)[raw]; ok {
		return c
	}
	return errnos[raw]
}

// hresults are codes of other facilities.
var hresults = map[uint32]Code{
	0x80004001: {"E_NOTIMPL", "not implemented by the sensor", nil},
	0x80004002: {"E_NOINTERFACE", "no such interface", nil},
	0x80004004: {"E_ABORT", "operation was aborted", nil},
	0x80004005: {"E_FAIL", "unspecified failure", nil},
	0x8000FFFF: {"E_UNEXPECTED", "unexpected failure", nil},
	0x8000000B: {"E_BOUNDS", "outside of the valid range", nil},
}

// win32 are the Win32 errors that Live Response commands meet.
var win32 = map[uint16]Code{
	1:    {"ERROR_INVALID_FUNCTION", "function is not valid here", nil},
	2:    {"ERROR_FILE_NOT_FOUND", "file not found", fs.ErrNotExist},
	3:    {"ERROR_PATH_NOT_FOUND", "path not found", fs.ErrNotExist},
	4:    {"ERROR_TOO_MANY_OPEN_FILES", "too many open files", nil},
	5:    {"ERROR_ACCESS_DENIED", "access denied", fs.ErrPermission},
	6:    {"ERROR_INVALID_HANDLE", "handle is not valid", nil},
	8:    {"ERROR_NOT_ENOUGH_MEMORY", "not enough memory", nil},
	13:   {"ERROR_INVALID_DATA", "data is not valid", nil},
	14:   {"ERROR_OUTOFMEMORY", "out of memory", nil},
	15:   {"ERROR_INVALID_DRIVE", "no such drive", fs.ErrNotExist},
	16:   {"ERROR_CURRENT_DIRECTORY", "directory is in use as working directory", nil},
	17:   {"ERROR_NOT_SAME_DEVICE", "destination is not usable (other device)", nil},
	18:   {"ERROR_NO_MORE_FILES", "no more files", nil},
	19:   {"ERROR_WRITE_PROTECT", "medium is write-protected", fs.ErrPermission},
	21:   {"ERROR_NOT_READY", "device is not ready", nil},
	23:   {"ERROR_CRC", "checksum of the medium is wrong", nil},
	29:   {"ERROR_WRITE_FAULT", "device cannot be written", nil},
	30:   {"ERROR_READ_FAULT", "device cannot be read", nil},
	31:   {"ERROR_GEN_FAILURE", "device does not work", nil},
	32:   {"ERROR_SHARING_VIOLATION", "file is in use by another process", nil},
	33:   {"ERROR_LOCK_VIOLATION", "part of the file is locked by another process", nil},
	38:   {"ERROR_HANDLE_EOF", "beyond the end of the file", nil},
	50:   {"ERROR_NOT_SUPPORTED", "not supported", nil},
	53:   {"ERROR_BAD_NETPATH", "network path not found", fs.ErrNotExist},
	67:   {"ERROR_BAD_NET_NAME", "network name not found", fs.ErrNotExist},
	80:   {"ERROR_FILE_EXISTS", "file exists already", fs.ErrExist},
	82:   {"ERROR_CANNOT_MAKE", "file or directory cannot be created", nil},
	87:   {"ERROR_INVALID_PARAMETER", "parameter is not valid (for kill: no such process)", nil},
	109:  {"ERROR_BROKEN_PIPE", "pipe has ended", nil},
	112:  {"ERROR_DISK_FULL", "disk is full", nil},
	123:  {"ERROR_INVALID_NAME", "name is not valid", nil},
	126:  {"ERROR_MOD_NOT_FOUND", "module not found", nil},
	131:  {"ERROR_NEGATIVE_SEEK", "position before the start of the file", nil},
	145:  {"ERROR_DIR_NOT_EMPTY", "directory is not empty", nil},
	161:  {"ERROR_BAD_PATHNAME", "path is not valid", nil},
	183:  {"ERROR_ALREADY_EXISTS", "exists already", fs.ErrExist},
	193:  {"ERROR_BAD_EXE_FORMAT", "not an executable for this system", nil},
	206:  {"ERROR_FILENAME_EXCED_RANGE", "name is too long", nil},
	225:  {"ERROR_VIRUS_INFECTED", "file is held to be malware", fs.ErrPermission},
	234:  {"ERROR_MORE_DATA", "there is more data", nil},
	259:  {"ERROR_NO_MORE_ITEMS", "no more items", nil},
	267:  {"ERROR_DIRECTORY", "directory name is not valid", nil},
	299:  {"ERROR_PARTIAL_COPY", "only a part could be copied", nil},
	303:  {"ERROR_DELETE_PENDING", "file is being deleted", nil},
	575:  {"ERROR_APP_INIT_FAILURE", "program could not start", nil},
	577:  {"ERROR_INVALID_IMAGE_HASH", "file's signature cannot be verified", fs.ErrPermission},
	740:  {"ERROR_ELEVATION_REQUIRED", "needs elevation", fs.ErrPermission},
	995:  {"ERROR_OPERATION_ABORTED", "operation was aborted", nil},
	998:  {"ERROR_NOACCESS", "memory is not accessible", nil},
	1018: {"ERROR_KEY_DELETED", "registry key is marked for deletion", nil},
	1020: {"ERROR_KEY_HAS_CHILDREN", "registry key has sub-keys", nil},
	1021: {"ERROR_CHILD_MUST_BE_VOLATILE", "sub-key of a volatile key must be volatile", nil},
	1155: {"ERROR_NO_ASSOCIATION", "no program is associated with the file", nil},
	1168: {"ERROR_NOT_FOUND", "not found", fs.ErrNotExist},
	1223: {"ERROR_CANCELLED", "was cancelled", nil},
	1260: {"ERROR_ACCESS_DISABLED_BY_POLICY", "blocked by policy", fs.ErrPermission},
	1314: {"ERROR_PRIVILEGE_NOT_HELD", "sensor lacks a privilege", fs.ErrPermission},
	1392: {"ERROR_FILE_CORRUPT", "file or directory is corrupt", nil},
	1450: {"ERROR_NO_SYSTEM_RESOURCES", "system resources are short", nil},
	1455: {"ERROR_COMMITMENT_LIMIT", "paging file is too small", nil},
	1460: {"ERROR_TIMEOUT", "sensor ran out of time", nil},
}
